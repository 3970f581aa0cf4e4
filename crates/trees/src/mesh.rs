//! Connections from every machine to every other, and the two operations that LightGBM asks of a network: each machine tells
//! all the others its block (all-gather), and each adds up its own block of what all have (reduce-scatter).
//!
//! A machine that is gone is noticed by the next read, and a silent one after the time given: an operation ends or fails,
//! and after a failure every other one fails at once. LightGBM's own sockets take the end of a connection for an empty message
//! and wait for ever; hence these.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// First bytes of a greeting.
const MAGIC: &[u8; 8] = b"sftrees1";
/// Bytes of a greeting: the magic, the digest of the list of machines, the number of the machine that speaks.
const GREETING: usize = 8 + 32 + 4;
/// How long a machine waits before it tries again to reach one that does not listen yet.
const AGAIN: Duration = Duration::from_millis(20);
/// How long a caller may take for its greeting: others wait behind it.
const GREETING_TIME: Duration = Duration::from_secs(5);

/// The connections of one machine.
#[derive(Debug)]
pub(crate) struct Mesh {
    rank: usize,
    /// By rank; `None` at its own.
    peers: Vec<Option<Peer>>,
    failed: bool,
}

/// Another machine: a thread of its own writes to it, so that two machines may send at once without waiting for each other.
#[derive(Debug)]
struct Peer {
    stream: TcpStream,
    outbox: Option<Sender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
}

impl Peer {
    fn new(stream: TcpStream, silence: Duration) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(silence))?;
        stream.set_write_timeout(Some(silence))?;
        let mut sink = stream.try_clone()?;
        let (outbox, messages) = mpsc::channel::<Vec<u8>>();
        let writer = std::thread::spawn(move || {
            for message in messages {
                let length = (message.len() as u64).to_le_bytes();
                if sink.write_all(&length).and_then(|()| sink.write_all(&message)).is_err() {
                    // The reader of this connection is told by its end.
                    let _gone = sink.shutdown(Shutdown::Both);
                    return;
                }
            }
        });
        Ok(Self { stream, outbox: Some(outbox), writer: Some(writer) })
    }

    fn send(&self, message: Vec<u8>) -> io::Result<()> {
        let gone = || io::Error::from(ErrorKind::BrokenPipe);
        self.outbox.as_ref().ok_or_else(gone)?.send(message).map_err(|_| gone())
    }

    fn receive(&mut self, expected: usize) -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        self.stream.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length != expected as u64 {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("sent {length} bytes where {expected} are due")));
        }
        let mut message = vec![0; expected];
        self.stream.read_exact(&mut message)?;
        Ok(message)
    }
}

impl Drop for Peer {
    /// Sends what is left to send.
    fn drop(&mut self) {
        self.outbox = None;
        if let Some(writer) = self.writer.take() {
            let _panicked = writer.join();
        }
    }
}

impl Mesh {
    /// Connects machine `rank` with all others; waits for them as long as `patience`, and later for each message as long as
    /// `silence`.
    pub(crate) fn connect(machines: &[SocketAddr], rank: usize, patience: Duration, silence: Duration) -> io::Result<Self> {
        let until = Instant::now() + patience;
        let listener = TcpListener::bind(machines[rank])?;
        listener.set_nonblocking(true)?;
        let group = digest(machines);
        let mut peers: Vec<Option<Peer>> = machines.iter().map(|_| None).collect();
        for lower in 0..rank {
            peers[lower] = Some(Peer::new(call(machines[lower], &group, (rank, lower), until)?, silence)?);
        }
        while let Some(missing) = (rank + 1..machines.len()).find(|&higher| peers[higher].is_none()) {
            match listener.accept() {
                // Whoever does not belong here is hung up on.
                Ok((stream, _)) => {
                    if let Ok(caller) = greet(&stream, &group, rank)
                        && caller > rank
                        && peers.get(caller).is_some_and(Option::is_none)
                    {
                        peers[caller] = Some(Peer::new(stream, silence)?);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => std::thread::sleep(AGAIN),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(io::Error::new(ErrorKind::TimedOut, format!("machine {missing} at {} did not come", machines[missing])));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self { rank, peers, failed: false })
    }

    /// Gives every machine the blocks of all, by rank. `lengths` are those of the blocks; `own` is this machine's.
    pub(crate) fn allgather(&mut self, own: Vec<u8>, lengths: &[usize]) -> io::Result<Vec<Vec<u8>>> {
        let sent = self.peers.iter().map(|peer| peer.as_ref().map(|_| own.clone())).collect();
        self.exchange(sent, own, lengths)
    }

    /// Gives the blocks of this rank that all machines have, by rank. `blocks` are this machine's, one for each rank.
    pub(crate) fn scatter(&mut self, mut blocks: Vec<Vec<u8>>) -> io::Result<Vec<Vec<u8>>> {
        let own = blocks.get_mut(self.rank).map(std::mem::take).unwrap_or_default();
        let lengths = vec![own.len(); self.peers.len()];
        self.exchange(blocks.into_iter().map(Some).collect(), own, &lengths)
    }

    /// Sends each machine its message and receives one of each.
    fn exchange(&mut self, messages: Vec<Option<Vec<u8>>>, own: Vec<u8>, lengths: &[usize]) -> io::Result<Vec<Vec<u8>>> {
        if self.failed || messages.len() != self.peers.len() || lengths.len() != self.peers.len() {
            return Err(io::Error::new(ErrorKind::NotConnected, "the machines are no longer connected"));
        }
        let received = if own.len() == lengths[self.rank] {
            self.try_exchange(messages, own, lengths)
        } else {
            Err(io::Error::new(ErrorKind::InvalidInput, "this machine's own block has another length than announced"))
        };
        if received.is_err() {
            self.failed = true;
            for peer in self.peers.iter().flatten() {
                // The others learn of it by the end of their connections.
                let _gone = peer.stream.shutdown(Shutdown::Both);
            }
        }
        received
    }

    fn try_exchange(&mut self, messages: Vec<Option<Vec<u8>>>, own: Vec<u8>, lengths: &[usize]) -> io::Result<Vec<Vec<u8>>> {
        let named = |rank: usize| move |error: io::Error| io::Error::new(error.kind(), format!("machine {rank} is lost: {error}"));
        for (rank, (peer, message)) in self.peers.iter().zip(messages).enumerate() {
            if let (Some(peer), Some(message)) = (peer, message) {
                peer.send(message).map_err(named(rank))?;
            }
        }
        let mut own = Some(own);
        let received = self.peers.iter_mut().zip(lengths).enumerate().map(|(rank, (peer, &length))| match peer {
            Some(peer) => peer.receive(length).map_err(named(rank)),
            None => Ok(own.take().unwrap_or_default()),
        });
        received.collect()
    }
}

fn digest(machines: &[SocketAddr]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for machine in machines {
        hash.update(machine.to_string());
        hash.update("\n");
    }
    hash.finalize().into()
}

fn greeting(group: &[u8; 32], rank: usize) -> [u8; GREETING] {
    let mut bytes = [0; GREETING];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..40].copy_from_slice(group);
    bytes[40..].copy_from_slice(&(rank as u32).to_le_bytes());
    bytes
}

/// Exchanges greetings; gives the number of the other machine.
fn greet(mut stream: &TcpStream, group: &[u8; 32], rank: usize) -> io::Result<usize> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(GREETING_TIME))?;
    stream.write_all(&greeting(group, rank))?;
    let mut bytes = [0; GREETING];
    stream.read_exact(&mut bytes)?;
    let number = u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]) as usize;
    if bytes == greeting(group, number) { Ok(number) } else { Err(io::Error::new(ErrorKind::InvalidData, "another training")) }
}

/// Calls a machine that may not listen yet.
fn call(machine: SocketAddr, group: &[u8; 32], (own, wanted): (usize, usize), until: Instant) -> io::Result<TcpStream> {
    loop {
        let left = until.saturating_duration_since(Instant::now()).max(AGAIN);
        let called = TcpStream::connect_timeout(&machine, left).and_then(|stream| match greet(&stream, group, own)? {
            number if number == wanted => Ok(stream),
            number => Err(io::Error::new(ErrorKind::InvalidData, format!("it is machine {number}"))),
        });
        match called {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= until => {
                return Err(io::Error::new(error.kind(), format!("machine {wanted} at {machine} cannot be reached: {error}")));
            }
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn free(count: usize) -> Vec<SocketAddr> {
        let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
    }

    /// What each of these machines does with its mesh, on a thread of its own.
    fn together<T: Send>(count: usize, silence: Duration, act: impl Fn(usize, io::Result<Mesh>) -> T + Sync) -> Vec<T> {
        let machines = free(count);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..count)
                .map(|rank| {
                    let (machines, act) = (&machines, &act);
                    scope.spawn(move || act(rank, Mesh::connect(machines, rank, PATIENCE, silence)))
                })
                .collect();
            running.into_iter().map(|machine| machine.join().unwrap()).collect()
        })
    }

    #[test]
    fn all_get_the_blocks_of_all_and_their_own_block_of_each() {
        for count in [2, 3, 5] {
            // Larger than what a connection holds on its way: all send before anyone reads.
            let length = |rank: usize| rank * 3_000_000;
            let lengths: Vec<usize> = (0..count).map(length).collect();
            together(count, PATIENCE, |rank, mesh| {
                let mut mesh = mesh.unwrap();
                for _ in 0..2 {
                    let all = mesh.allgather(vec![rank as u8; length(rank)], &lengths).unwrap();
                    assert!(all.iter().enumerate().all(|(of, block)| *block == vec![of as u8; length(of)]));
                    let blocks = (0..count).map(|to| vec![(10 * rank + to) as u8; to + 1]).collect();
                    let mine = mesh.scatter(blocks).unwrap();
                    assert!(mine.iter().enumerate().all(|(of, block)| *block == vec![(10 * of + rank) as u8; rank + 1]));
                }
            });
        }
    }

    #[test]
    fn a_machine_that_leaves_or_says_nothing_ends_the_work_of_the_others() {
        for silent in [false, true] {
            let errors = together(3, Duration::from_millis(500), |rank, mesh| {
                let mut mesh = mesh.unwrap();
                if rank == 1 {
                    if silent {
                        // Until the others have given up.
                        std::thread::sleep(Duration::from_secs(2));
                    }
                    return None;
                }
                let error = mesh.allgather(vec![1; 10], &[10, 10, 10]).unwrap_err().to_string();
                let again = mesh.allgather(vec![1; 10], &[10, 10, 10]).unwrap_err().to_string();
                Some((error, again))
            });
            for (error, again) in errors.into_iter().flatten() {
                assert!(error.contains("is lost"), "{error}");
                assert!(again.contains("no longer connected"), "{again}");
            }
        }
    }

    #[test]
    fn strangers_are_hung_up_on_and_those_who_do_not_come_are_named() {
        let machines = free(2);
        let error = Mesh::connect(&machines, 0, Duration::from_millis(300), PATIENCE).unwrap_err().to_string();
        assert!(error.contains("machine 1 at") && error.contains("did not come"), "{error}");
        let error = Mesh::connect(&machines, 1, Duration::from_millis(300), PATIENCE).unwrap_err().to_string();
        assert!(error.contains("machine 0 at") && error.contains("cannot be reached"), "{error}");
        std::thread::scope(|scope| {
            let first = scope.spawn(|| Mesh::connect(&machines, 0, PATIENCE, PATIENCE));
            let stranger = loop {
                if let Ok(stream) = TcpStream::connect(machines[0]) {
                    break stream;
                }
                std::thread::sleep(AGAIN);
            };
            (&stranger).write_all(&greeting(&[7; 32], 1)).unwrap();
            let mut second = Mesh::connect(&machines, 1, PATIENCE, PATIENCE).unwrap();
            let mut first = first.join().unwrap().unwrap();
            let asked = scope.spawn(move || first.allgather(vec![1], &[1, 2]).unwrap());
            assert_eq!(second.allgather(vec![2, 2], &[1, 2]).unwrap(), [vec![1], vec![2, 2]]);
            assert_eq!(asked.join().unwrap(), [vec![1], vec![2, 2]]);
        });
    }

    #[test]
    fn machines_that_disagree_on_a_length_fail() {
        let errors = together(2, PATIENCE, |rank, mesh| mesh.unwrap().allgather(vec![0; 4 + rank], &[4, 4 + rank]).err());
        assert!(errors[0].as_ref().is_some_and(|error| error.to_string().contains("5 bytes where 4")), "{errors:?}");
    }
}
