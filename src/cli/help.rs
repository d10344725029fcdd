//! What `--help` and `--version` print.

/// The name and version, on a line.
pub(crate) const VERSION: &str = concat!("pingstate ", env!("CARGO_PKG_VERSION"), "\n");

/// The manual, at most 80 columns wide.
pub(crate) const HELP: &str = "\
pingstate probes targets over TCP, HTTP or HTTPS, tracks each one's state, and
serves it over a local HTTP API.

Usage: pingstate [OPTIONS] [TARGET...]
       pingstate [OPTIONS] --config FILE

A TARGET is a URL: tcp://HOST:PORT, http://HOST[:PORT][/PATH] or https://...
Without one, the next four flags say what is probed.

A FILE holds a target on each line, NAME URL [OPTIONS], quoted as in a shell; a
line of options only is for those that follow it. SIGHUP has it read again:
targets that are the same in it go on as they were.

Target:
      --protocol NAME      tcp, http or https [default: tcp]
      --address HOST       name, IPv4 or IPv6 address [default: 1.1.1.1]
      --port N             [default: 443 for tcp and https, 80 for http]
      --path PATH          path and query, for http and https [default: /]
      --name NAME          what a single target is called [default: HOST:PORT]

Check (for all targets, or behind each one in a FILE):
      --check SPEC         what counts as up:
                             tcp     port_open (default), banner_contains:TEXT
                             http(s) status_2xx (default), body_contains:TEXT,
                                     status:200,204 or status:200-299,401
      --timeout SECONDS    for a whole check, 0.001 to 3600
                           [default: 2 for tcp, 5 for http and https]
      --retries N          further tries until a check fails, 0 to 100
                           [default: 0]
      --retry-interval SECONDS
                           time between two tries [default: 1]

Check, for http and https:
      --method METHOD      [default: GET]
      --header 'NAME: VALUE'
                           also send this header field; repeatable
      --max-body BYTES     how much of a body is searched, 1 to 16777216
                           [default: 65536]
      --no-redirect        judge a redirect instead of following it
      --ca-file PEM        trust these certificates too
      --no-verify-tls      accept any certificate

State (for all targets, or behind each one in a FILE):
      --interval SECONDS   time between two checks, 0.001 to 315360000
                           [default: 5]
      --interval-down SECONDS
                           the same while it is down [default: --interval]
      --interval-fast SECONDS
                           the same while it may be about to go down or to
                           come up [default: --interval]
      --fall N             failures in a row until down [default: 2]
      --rise N             successes in a row that leave down [default: 1]
      --slow MS            degraded while answers take longer, in milliseconds
      --slow-clear MS      and then until one takes at most this
                           [default: --slow]

Change of state (for all targets, or behind each one in a FILE):
      --on-change COMMAND  run this, without a shell, with PINGSTATE_TARGET,
                           PINGSTATE_FROM, PINGSTATE_TO and more in its
                           environment
      --webhook URL        post it here as JSON
      --hook-timeout SECONDS
                           the time a command may take [default: 30]
      --hook-first         also for the first state

API and daemon:
      --api-host ADDRESS   address to listen on [default: 127.0.0.1]
      --api-port N         0 is any free port [default: 8787]
      --api-allow-host NAME
                           while listening on loopback, answer to this host name
                           too; repeatable
      --dns ADDR[:PORT]    name server to ask instead of resolv.conf's;
                           repeatable

      --config FILE        watch what is in this file
      --check-config       say what is wrong with the file and exit
      --once               check every target once, print a line each and exit
  -h, --help               print this help
  -V, --version            print the version

The API answers GET /status or / (JSON), /state (one word) and /healthz (200 if
up, else 503) for all targets, /targets/NAME, /targets/NAME/state and
/targets/NAME/healthz for one. Furthermore /metrics (for Prometheus),
/probe?target=NAME (like the blackbox exporter's), /events (server-sent events;
with ?checks=1 of checks too) and /wait?state=up&timeout=60 (200 once it is
reached, 503 if not in time); target=NAME makes the last two be about one.

Exit codes:
  0  stopped by SIGINT or SIGTERM; with --once: every target is up
  1  the API can not be served; with --once: some target failed, or is slow
  2  the command line or the file is wrong
  3  with --once: the name of a target does not resolve

Examples:
  pingstate https://api.example.com/healthz
  pingstate --check banner_contains:SSH- tcp://git.example.com:22
  pingstate --protocol http --address 192.168.1.1 --check status:200,401
  pingstate --once tcp://1.1.1.1:443 https://example.com/ && echo online
";
