//! A bad network before a server: a proxy that answers 500, resets connections in the middle, or keeps silent, as its seed says; or one
//! that lets nothing through any more, and says nothing, as a partition does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::Random;

/// A proxy to a port of this machine.
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    bad: Arc<AtomicBool>,
    faults: Arc<AtomicU64>,
    parted: Arc<AtomicBool>,
}

/// What happens to a connection.
#[derive(Clone, Copy)]
enum Fate {
    /// Its first request is answered 500 without being passed on.
    Refused,
    /// It is cut after so many bytes of both directions.
    Cut(u64),
    /// Its first request is not answered.
    Silent,
}

/// How long silence lasts.
const SILENCE: Duration = Duration::from_millis(1_500);

impl Proxy {
    /// Starts a proxy to a port; it does no harm until [`Proxy::misbehave`]. It lives as long as the process.
    pub fn start(to: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (bad, faults) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let parted = Arc::new(AtomicBool::new(false));
        let (behaves, counted, wall) = (bad.clone(), faults.clone(), parted.clone());
        thread::spawn(move || {
            let mut random = Random(seed);
            for client in listener.incoming().flatten() {
                let fate = if behaves.load(Ordering::Relaxed) {
                    counted.fetch_add(1, Ordering::Relaxed);
                    fate(random.step())
                } else {
                    Fate::Cut(u64::MAX)
                };
                let wall = wall.clone();
                thread::spawn(move || drop(serve(client, to, fate, &wall)));
            }
        });
        Self { port, bad, faults, parted }
    }

    /// Lets nothing through, of connections old and new, or everything again: what was sent meanwhile is late, not lost.
    pub fn part(&self, parted: bool) {
        self.parted.store(parted, Ordering::Relaxed);
    }

    /// Makes new connections go wrong, or no longer.
    pub fn misbehave(&self, bad: bool) {
        self.bad.store(bad, Ordering::Relaxed);
    }

    /// Connections made while it misbehaved.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

fn fate(random: u64) -> Fate {
    match random % 20 {
        0 | 1 => Fate::Refused,
        2 => Fate::Silent,
        // Some in the middle of their first request, the others later.
        3..=5 => Fate::Cut(random % 40_000),
        _ => Fate::Cut(40_000 + random % 400_000),
    }
}

fn serve(mut client: TcpStream, to: u16, fate: Fate, wall: &Arc<AtomicBool>) -> io::Result<()> {
    wait_at(wall);
    let limit = match fate {
        Fate::Refused => {
            let mut request = [0; 1024];
            let _ = client.read(&mut request)?;
            client.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
            return client.shutdown(Shutdown::Both);
        }
        Fate::Silent => {
            thread::sleep(SILENCE);
            // What was sent is not read: the other side sees a reset.
            return Ok(());
        }
        Fate::Cut(limit) => limit,
    };
    let server = TcpStream::connect(("127.0.0.1", to))?;
    let passed = Arc::new(AtomicU64::new(0));
    let back = {
        let (from, into, passed, wall) = (server.try_clone()?, client.try_clone()?, passed.clone(), wall.clone());
        thread::spawn(move || pass(from, into, &passed, limit, &wall))
    };
    pass(client, server, &passed, limit, wall);
    let _ = back.join();
    Ok(())
}

/// Waits until there is no partition.
fn wait_at(wall: &AtomicBool) {
    while wall.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Passes bytes on until one side ends, or the limit of the connection.
fn pass(mut from: TcpStream, mut into: TcpStream, passed: &AtomicU64, limit: u64, wall: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        wait_at(wall);
        let sum = passed.fetch_add(read as u64, Ordering::Relaxed) + read as u64;
        if read == 0 || sum > limit || into.write_all(&buffer[..read]).is_err() {
            let _ = (from.shutdown(Shutdown::Both), into.shutdown(Shutdown::Both));
            return;
        }
    }
}
