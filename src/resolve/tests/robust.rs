//! Random worlds: whatever servers and callers do, every lookup ends and no query is left behind.

use super::*;
use crate::wire::dns::server_messages::TRUNCATED;

/// Numbers that look random and are the same every time.
#[derive(Clone)]
struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % limit
    }
}

/// A server that does something right, wrong or nothing.
fn act(random: &mut Random, ask: &Ask) -> Acts {
    let at = [0, 1, 30, 300, 900, 3000][random.below(6)];
    let mut message = match random.below(8) {
        0 => return silence(),
        1 => return vec![(at, Event::Failed)],
        2 => return vec![(at, Event::Closed)],
        3 => ask.code(u8::try_from(random.below(6)).unwrap()),
        4 => answer(&ask.message, TRUNCATED, 0, &[]),
        5 => ask.with(&[]),
        _ => ask.with_ttl(u32::try_from(random.below(3)).unwrap(), &BOTH),
    };
    for _ in 0..[0, 0, 0, 1, 4][random.below(5)] {
        let position = random.below(message.len());
        message[position] = u8::try_from(random.below(256)).unwrap();
    }
    if ask.transport == Transport::Tcp {
        message = Ask::framed(&message);
    }
    let cut = random.below(message.len() + 1);
    if random.below(3) == 0 {
        return vec![
            (at, Event::Bytes(message[..cut].to_vec())),
            (at + 1, Event::Bytes(message[cut..].to_vec())),
            (at + 2, Event::Closed),
        ];
    }
    vec![(at, Event::Bytes(message))]
}

fn play(seed: u32) -> (Vec<String>, Vec<String>) {
    let mut random = Random(seed.wrapping_mul(2_654_435_761).max(1));
    let mut servers = random.clone();
    let conf = "nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch lan local\noptions attempts:2 timeout:2\n";
    let mut world = World::new(conf, move |ask| act(&mut servers, ask));
    let names = ["a.example", "a.example.", "b.example", "nas", "nas.local", "localhost", "x y", "10.0.0.1"];
    let mut lookups = Vec::new();
    let mut cancelled = BTreeSet::new();
    for _ in 0..30 {
        match random.below(8) {
            0 if !lookups.is_empty() => {
                let lookup: LookupId = lookups[random.below(lookups.len())];
                world.cancel(lookup);
                cancelled.insert(lookup);
            }
            1 => drop(world.resolver.set_resolv_conf([b"", conf.as_bytes()][random.below(2)])),
            2 => drop(world.resolver.set_hosts([b"".as_slice(), b"10.0.0.9 b.example"][random.below(2)])),
            _ => lookups.push(world.lookup(names[random.below(names.len())])),
        }
        world.run([0, 1, 60, 700][random.below(4)]);
    }
    world.run(120_000);
    world.assert_quiet();
    for lookup in &lookups {
        let start = format!("{} ", lookup.0);
        let said: Vec<&String> = world.said.iter().filter(|line| line.starts_with(&start)).collect();
        let ends = said.iter().filter(|line| !line.ends_with(" and more")).count();
        assert!(ends <= 1 && said.len() <= 2, "seed {seed}: {said:?}");
        assert!(ends == 1 || cancelled.contains(lookup), "seed {seed}: no end for {lookup:?}");
    }
    (world.asked, world.said)
}

#[test]
fn every_lookup_ends_once_and_nothing_leaks() {
    for seed in 0..600 {
        play(seed);
    }
}

#[test]
fn the_same_world_gives_the_same_conversation() {
    for seed in 0..20 {
        assert_eq!(play(seed), play(seed));
    }
}

#[test]
fn random_files_do_no_harm() {
    let mut random = Random(77);
    let words: [&[u8]; 12] = [
        b"nameserver ",
        b"search ",
        b"options ",
        b"ndots:",
        b"9",
        b"10.0.0.1",
        b"\n",
        b" ",
        b"#",
        b"\xff",
        b"a.b",
        b"::1",
    ];
    for _ in 0..3000 {
        let text: Vec<u8> = (0..random.below(40)).flat_map(|_| words[random.below(12)].to_vec()).collect();
        let mut resolver = Resolver::new(Vec::new(), MDNS.parse().unwrap(), Box::new(|| 1));
        resolver.set_resolv_conf(&text);
        resolver.set_hosts(text);
        let now = test_now().instant;
        resolver.lookup("a.b", None, now);
        resolver.handle_timeout(now);
        assert!(resolver.poll_output().is_some());
    }
}
