//! The output of `--help` and `--version`.

use super::flags::{Flag, SECTIONS, Set};

pub(crate) const VERSION: &str = concat!("pingstate ", env!("CARGO_PKG_VERSION"), "\n");

/// The width of the text, and the column at which the descriptions of flags start.
const WIDTH: usize = 79;
const COLUMN: usize = 27;

const INTRODUCTION: &str = "\
pingstate probes targets over TCP, TLS, HTTP, HTTPS, DNS or ICMP, tracks the
state of each, and serves it over a local HTTP API.

Usage: pingstate [OPTIONS] [TARGET...]
       pingstate [OPTIONS] --config FILE

A TARGET is a URL: tcp://HOST:PORT, tls://HOST[:PORT],
http://HOST[:PORT][/PATH], https://..., icmp://HOST,
dns://SERVER[:PORT]/NAME[?type=TYPE], or dns:NAME[?type=TYPE] for the first
--dns or the server of resolv.conf; exec:COMMAND runs a plugin, and heartbeat:
expects requests of a job.
Without one, the first four flags below describe the target.

FILE lists one target on each line, NAME URL [OPTIONS], quoted as in a shell; a
line of options applies to the targets below it. On SIGHUP the file is read
again: targets whose lines have not changed keep their state.
";

const REST: &str = "
The API serves GET /status or / (JSON), /state (one word) and /healthz (200 if
up, else 503) for all targets, /targets/NAME, /targets/NAME/state and
/targets/NAME/healthz for one; also /livez (200 while the daemon works),
/metrics (Prometheus), /probe?target=NAME (as the blackbox exporter), /events
(server-sent events; with ?checks=1 also of checks) and
/wait?state=up&timeout=60 (200 once the state is reached, 503 after the
timeout). The last two accept target=NAME to select one target.

Exit codes:
  0  stopped by SIGINT or SIGTERM; with --once: every target is up
  1  the API cannot be served; with --once: a target failed or is slow
  2  the command line or the file is invalid
  3  with --once: the name of a target does not resolve
  4  standard output cannot be written

Examples:
  pingstate https://api.example.com/healthz
  pingstate --check banner_contains:SSH- tcp://git.example.com:22
  pingstate --protocol http --address 192.168.1.1 --check status:200,401
  pingstate --name load 'exec:/usr/lib/nagios/plugins/check_load -w 4 -c 8'
  pingstate --name backup --interval 1d --token-file FILE heartbeat:
  pingstate --once tcp://1.1.1.1:443 https://example.com/ && echo online
";

pub(crate) fn help() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in &SECTIONS {
        text.push('\n');
        if !section.title.is_empty() {
            text.extend([section.title, "\n"]);
        }
        section.flags.iter().for_each(|flag| describe(&mut text, flag));
    }
    text + REST
}

fn describe(text: &mut String, flag: &Flag) {
    let start = text.len();
    match flag.short {
        Some(short) => text.extend(["  -".to_owned(), short.to_string(), ", ".to_owned()]),
        None => text.push_str("      "),
    }
    text.push_str(flag.name);
    if let Set::Value(_) = flag.set {
        text.push(' ');
        text.push_str(flag.value);
    }
    if text.len() - start + 2 > COLUMN {
        text.push('\n');
    }
    let mut lines = flag.help.split('\n');
    wrap(text, lines.next().unwrap_or_default(), flag.default);
    lines.for_each(|line| {
        begin(text);
        text.extend([line, "\n"]);
    });
}

fn wrap(text: &mut String, help: &str, default: &str) {
    let default = match default {
        "" => String::new(),
        default => ["[default: ", default, "]"].concat(),
    };
    begin(text);
    // A default is not broken if it fits on a line.
    let parts: Vec<&str> = match COLUMN + default.len() > WIDTH {
        true => default.split(' ').collect(),
        false => vec![&default],
    };
    for word in help.split(' ').chain(parts).filter(|word| !word.is_empty()) {
        let column = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
        if column > COLUMN && column + 1 + word.len() > WIDTH {
            text.push('\n');
            begin(text);
        } else if column > COLUMN {
            text.push(' ');
        }
        text.push_str(word);
    }
    text.push('\n');
}

/// Pads the line up to the column of descriptions.
fn begin(text: &mut String) {
    let column = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
    text.extend(std::iter::repeat_n(' ', COLUMN - column));
}
