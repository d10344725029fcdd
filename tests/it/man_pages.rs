//! The man pages in `contrib/man`.

use std::process::Command;

use crate::common::*;

const PAGES: [&str; 2] = ["pingstate.1", "pingstate.conf.5"];

fn mandoc(format: &str, page: &str) -> String {
    let path = format!("{}/contrib/man/{page}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("mandoc").args(["-T", format, &path]).output().expect("runs");
    // With -Tlint, messages are on the standard output.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn mandoc_finds_nothing_wrong() {
    if has("mandoc", &["/dev/null"]) {
        PAGES.into_iter().for_each(|page| assert_eq!(mandoc("lint", page), ""));
    }
}

#[test]
fn the_pages_show_sections_flags_and_examples() {
    if !has("mandoc", &["/dev/null"]) {
        return;
    }
    let text = |page: &str| {
        let text = mandoc("utf8", page);
        // Without the backspaces of bold and underlined characters.
        let mut plain = String::new();
        for c in text.chars() {
            match c {
                '\u{8}' => _ = plain.pop(),
                c => plain.push(c),
            }
        }
        plain
    };
    let command = text(PAGES[0]);
    for part in [
        "\nNAME\n       pingstate - ",
        "\nSYNOPSIS\n       pingstate [options] [target...]\n",
        "\n       --protocol NAME\n",
        "\n       -h, --help\n",
        "\nSTATES\n",
        "unknown ──ok──▶ up ──fail──▶ degraded ──fail──▶ down\n",
        "\nSIGNALS\n       SIGHUP ",
        "\nEXIT STATUS\n       0 ",
        "\n       PINGSTATE_FROM, PINGSTATE_TO\n",
        "\nFILES\n       /etc/pingstate.conf\n",
        "pingstate --name load 'exec:/usr/lib/nagios/plugins/check_load -w 4 -c 8'\n",
    ] {
        assert!(command.contains(part), "{part:?} is not in\n{command}");
    }
    let file = text(PAGES[1]);
    for part in [
        "--interval 1 --on-change /usr/local/bin/tell\n",
        "\n       status:200,204 or status:200-299,401 (http, https)\n",
        "pingstate: /etc/pingstate.conf:5: --fall: `x` is not a whole number\n",
        "    raid  \"exec:sh -c 'grep -q \\\\[UU\\\\] /proc/mdstat'\"  --interval 300\n",
        "An empty TEXT always matches.",
        "--check 'body_contains:\"status\":\"ok\"' --header 'Accept: application/json'\n",
    ] {
        assert!(file.contains(part), "{part:?} is not in\n{file}");
    }
    for page in [command, file] {
        assert!(!page.contains("](#") && !page.contains("```") && !page.contains("\\f"), "{page}");
    }
}
