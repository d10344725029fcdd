//! The server in the program's own event loop: its descriptor becomes readable when there are events, and
//! `next_turn` returns the next deadline.

mod target;

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use pingstate::{Monitor, probe, serve};

const SERVER: Token = Token(0);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = target::greeting("hello")?;
    let probe = probe("tcp", "localhost", port).build()?;
    let monitor = Monitor::new(probe).interval(Duration::from_millis(20));
    let mut server = serve(monitor, ([127, 0, 0, 1], 0))?;

    let target = server.targets().next().ok_or("no target")?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    poll.registry().register(&mut SourceFd(&server.as_raw_fd()), SERVER, Interest::READABLE)?;
    let mut wakeups = 0;
    while server.snapshot(target).is_some_and(|target| target.recent.len() < 3) {
        // A real program registers its own sockets here and includes its own timers.
        poll.poll(&mut events, server.next_turn().map(time_until))?;
        wakeups += 1;
        if !server.turn(Duration::ZERO)? {
            break;
        }
    }
    let checks = server.snapshot(target).map_or(0, |target| target.recent.len());
    println!("{checks} checks, {}", if wakeups < 100 { "few wakeups" } else { "too many wakeups" });
    Ok(())
}

fn time_until(deadline: Instant) -> Duration {
    #[allow(clippy::disallowed_methods)] // Programs may read the clock anywhere.
    deadline.saturating_duration_since(Instant::now())
}
