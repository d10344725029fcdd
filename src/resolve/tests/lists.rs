//! Search lists: which full names a short one stands for.

use super::*;

const CONF: &str = "nameserver 10.0.0.1\nsearch one.example two.example\n";

/// Only these names exist.
fn only(names: &'static [&'static str]) -> impl FnMut(&Ask) -> Acts {
    move |ask| {
        let exists = names.contains(&ask.name.as_str());
        send(if exists { ask.with(&BOTH) } else { ask.code(NXDOMAIN) })
    }
}

/// The names asked for, each once.
fn names(world: &World) -> Vec<String> {
    let mut names: Vec<String> =
        world.asked.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    names.dedup();
    names
}

#[test]
fn short_names_are_searched_for_first() {
    let mut world = World::new(CONF, only(&["db.two.example"]));
    assert_eq!(world.resolve("db"), ["4 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(names(&world), ["db.one.example", "db.two.example"]);
    let mut world = World::new(CONF, only(&["db"]));
    assert_eq!(world.resolve("db"), ["6 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(names(&world), ["db.one.example", "db.two.example", "db"]);
}

#[test]
fn names_with_dots_are_asked_for_as_they_are_first() {
    let mut world = World::new(CONF, only(&["db.x.one.example", "db.x"]));
    assert_eq!(world.resolve("db.x"), ["2 found 2001:db8::1 192.0.2.1"]);
    let mut world = World::new(CONF, only(&["db.x.one.example"]));
    assert_eq!(world.resolve("db.x"), ["4 found 2001:db8::1 192.0.2.1"]);
    let mut world = World::new(&format!("{CONF}options ndots:2\n"), only(&["db.x.one.example", "db.x"]));
    world.resolve("db.x");
    assert_eq!(names(&world), ["db.x.one.example"]);
}

#[test]
fn absolute_names_are_not_searched_for() {
    let mut world = World::new(CONF, only(&["db.one.example"]));
    let said = world.resolve("db.");
    assert_eq!(said, ["2 dns_not_found: name does not exist: db (asked 10.0.0.1)"]);
    assert_eq!(names(&world), ["db"]);
}

#[test]
fn a_name_without_addresses_leads_to_the_next() {
    let mut world = World::new(CONF, |ask| {
        send(match ask.name.as_str() {
            "db.one.example" => ask.with(&[]),
            "db" => ask.with(&BOTH),
            _ => ask.code(NXDOMAIN),
        })
    });
    assert_eq!(world.resolve("db"), ["6 found 2001:db8::1 192.0.2.1"]);
    let mut world = World::new(CONF, |ask| {
        send(if ask.name == "db.one.example" { ask.with(&[]) } else { ask.code(NXDOMAIN) })
    });
    assert_eq!(world.resolve("db"), ["6 dns_not_found: name has no address: db (asked 10.0.0.1)"]);
}

#[test]
fn an_error_leads_to_the_next_and_is_remembered() {
    let script = |ask: &Ask| {
        send(match ask.name.as_str() {
            "db.one.example" => ask.code(SERVFAIL),
            "db" => ask.with(&BOTH),
            _ => ask.code(NXDOMAIN),
        })
    };
    let mut world = World::new(CONF, script);
    assert_eq!(world.resolve("db"), ["8 found 2001:db8::1 192.0.2.1"]);
    let said = world.resolve("other");
    assert_eq!(said, ["6 dns_not_found: name does not exist: other (asked 10.0.0.1)"]);
    let mut world = World::new(CONF, |ask| {
        send(ask.code(if ask.name == "db.one.example" { SERVFAIL } else { NXDOMAIN }))
    });
    assert_eq!(world.resolve("db"), ["8 dns_failed: name server 10.0.0.1 answered SERVFAIL for db"]);
}

#[test]
fn silence_ends_the_search() {
    let mut world = World::new(CONF, |_| silence());
    let said = world.resolve("db");
    assert_eq!(said, ["9000 waiting for 10.0.0.1 to resolve db"]);
    assert_eq!(names(&world), ["db.one.example"]);
}

#[test]
fn the_search_goes_on_although_one_family_is_never_answered() {
    let mut world = World::new(CONF, |ask| match (ask.kind, ask.name.as_str()) {
        (AAAA, _) => silence(),
        (_, "db") => send(ask.with(&BOTH)),
        _ => send(ask.code(NXDOMAIN)),
    });
    assert_eq!(world.resolve("db")[0], "156 found 192.0.2.1 and more");
}

#[test]
fn a_dead_first_server_leaves_time_to_search() {
    let mut world = World::new(
        "nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch one.example two.example\n",
        |ask| match (ask.host(), ask.name.as_str()) {
            (1, _) => silence(),
            (_, "db") => send(ask.with(&BOTH)),
            _ => send(ask.code(NXDOMAIN)),
        },
    );
    assert_eq!(world.resolve("db"), ["1202 found 2001:db8::1 192.0.2.1"]);
}
