//! The threads that parse a file: each takes blocks as they are cut, and keeps its own counts until the end.

use std::hash::{BuildHasher, Hasher};
use std::iter::repeat;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use foldhash::quality::FixedState;
use memchr::memchr;

use crate::blocks::{Blocks, Spent};
use crate::error::{FileError, ParseError};
use crate::fields::{Fields, Issue, LastSiret, decode};
use crate::files::RowParser;
use crate::layout::Layout;
use crate::links::AccountLinks;
use crate::parse::{MOST_REJECTIONS, Parsed, Sink};
use crate::records::{Records, Shape};
use crate::report::{ParseReport, Reason, Rejection, Warning};

/// Characters kept of a rejected value.
const VALUE: usize = 200;
/// Rows that a record may add when as many as wanted are nearly there: more make the memory grow.
const MORE: usize = 64;
/// Digests handed over together.
const DIGESTS: usize = 16 * 1024;
/// Seed of the digests.
const SEED: FixedState = FixedState::with_seed(2511);

/// What all threads know of a file.
pub(crate) struct Task<'t> {
    pub(crate) layout: &'t Layout,
    pub(crate) links: Option<&'t AccountLinks>,
}

/// What is told of a block once it is parsed. Its lines and records are numbered from 1.
struct Part {
    index: usize,
    lines: u64,
    records: u64,
    rejections: Vec<Rejection>,
}

/// Parses the first block, whose data begin after so many lines, then those that follow.
pub(crate) fn run<P: RowParser, E: Send>(
    task: &Task<'_>,
    parser: P,
    first: &[u8],
    lines: u64,
    blocks: &mut Blocks<'_>,
    sinks: Vec<&mut dyn Sink<P::Row, Error = E>>,
) -> Result<Parsed, ParseError<E>> {
    let kept = AtomicUsize::new(0);
    let alone = sinks.len() < 2;
    let mut sinks = sinks.into_iter();
    let mine = sinks.next().ok_or(FileError::Empty)?;
    let mut worker = Worker::new(task, parser, mine, &kept);
    let mut parts = vec![worker.block(0, first)?];
    while alone || !worker.parser.settled() {
        match blocks.next()? {
            Some(block) => {
                parts.push(worker.block(parts.len(), &block)?);
                blocks.spent().put(block);
            }
            None => return worker.end().map(|report| merge([(report, parts)], lines)),
        }
    }
    let begun = parts.len();
    let results = match blocks.next()? {
        None => return worker.end().map(|report| merge([(report, parts)], lines)),
        Some(next) => {
            let parser = worker.parser.clone();
            let others = sinks.map(|sink| Worker::new(task, parser.clone(), sink, &kept));
            share([worker].into_iter().chain(others).collect(), next, begun, blocks)?
        }
    };
    Ok(merge(results.into_iter().chain([(ParseReport::default(), parts)]), lines))
}

/// What a thread did.
type Done = (ParseReport, Vec<Part>);

/// Gives the blocks to the workers, each on a thread of its own; this one cuts.
fn share<'env, P: RowParser, E: Send>(
    workers: Vec<Worker<'env, P, E>>,
    next: Vec<u8>,
    begun: usize,
    blocks: &mut Blocks<'_>,
) -> Result<Vec<Done>, ParseError<E>> {
    let (sender, receiver) = sync_channel::<(usize, Vec<u8>)>(workers.len());
    // Gone with the last worker, so that nobody sends to nobody.
    let receiver = Arc::new(Mutex::new(receiver));
    let (failed, spent) = (&AtomicBool::new(false), blocks.spent());
    let spent = &spent;
    thread::scope(|scope| {
        let start = |(worker, receiver): (Worker<'env, P, E>, Arc<Mutex<_>>)| scope.spawn(move || worker.all(&receiver, spent, failed));
        let threads: Vec<_> = workers.into_iter().zip(repeat(receiver.clone())).map(start).collect();
        drop(receiver);
        let cut = || -> Result<(), FileError> {
            let mut block = Some(next);
            let mut index = begun;
            while let Some(bytes) = block {
                if failed.load(Ordering::Relaxed) || sender.send((index, bytes)).is_err() {
                    break;
                }
                index += 1;
                block = blocks.next()?;
            }
            Ok(())
        };
        let cut = cut();
        drop(sender);
        let mut done = Vec::new();
        for thread in threads {
            done.push(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        cut?;
        Ok(done)
    })
}

/// One thread's work on a file.
struct Worker<'t, P: RowParser, E> {
    task: &'t Task<'t>,
    parser: P,
    sink: &'t mut dyn Sink<P::Row, Error = E>,
    /// Rejections kept by all threads.
    kept: &'t AtomicUsize,
    rows: Vec<P::Row>,
    warnings: Vec<Warning>,
    last: LastSiret,
    digests: Vec<u64>,
    report: ParseReport,
}

impl<'t, P: RowParser, E: Send> Worker<'t, P, E> {
    fn new(task: &'t Task<'t>, parser: P, sink: &'t mut dyn Sink<P::Row, Error = E>, kept: &'t AtomicUsize) -> Self {
        // Rows are moved when their memory grows, and are many: all of it is asked for at once, and costs nothing until it is used.
        let (rows, warnings, digests) = (Vec::with_capacity(sink.wanted() + MORE), Vec::new(), Vec::with_capacity(DIGESTS));
        Self { task, parser, sink, kept, rows, warnings, last: LastSiret::default(), digests, report: ParseReport::default() }
    }

    /// Parses blocks until there are no more.
    fn all(mut self, blocks: &Mutex<Receiver<(usize, Vec<u8>)>>, spent: &Spent, failed: &AtomicBool) -> Result<Done, ParseError<E>> {
        let mut parts = Vec::new();
        let mut work = || loop {
            let Ok((index, block)) = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv() else { return Ok(()) };
            if failed.load(Ordering::Relaxed) {
                continue;
            }
            match self.block(index, &block) {
                Ok(part) => {
                    parts.push(part);
                    spent.put(block);
                }
                Err(error) => {
                    // The others take what is still sent and leave it.
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        };
        work()?;
        Ok((self.end()?, parts))
    }

    /// Hands over what is left.
    fn end(mut self) -> Result<ParseReport, ParseError<E>> {
        self.hand_over()?;
        self.sink.digests(&self.digests).map_err(ParseError::Sink)?;
        Ok(self.report)
    }

    fn block(&mut self, index: usize, block: &[u8]) -> Result<Part, ParseError<E>> {
        let mut records = Records::new(block, P::DIALECT);
        let mut part = Part { index, lines: 0, records: 0, rejections: Vec::new() };
        let nul = memchr(0, block).is_some();
        let wanted = self.sink.wanted();
        while let Some(shape) = records.next()? {
            part.records += 1;
            let digest = digest(records.raw());
            if let Err(issue) = self.record(&records, shape, nul) {
                match issue {
                    Issue::Skip(reason) => *self.report.skipped.entry(reason).or_default() += 1,
                    Issue::Reject(field, reason) => {
                        *self.report.rejected.entry(reason).or_default() += 1;
                        if self.kept.fetch_add(1, Ordering::Relaxed) < MOST_REJECTIONS {
                            part.rejections.push(rejection(&records, self.task.layout, part.records, field, reason));
                        }
                    }
                }
            }
            self.digests.push(digest);
            if self.digests.len() >= DIGESTS {
                self.sink.digests(&self.digests).map_err(ParseError::Sink)?;
                self.digests.clear();
            }
            if self.rows.len() >= wanted {
                self.hand_over()?;
            }
        }
        part.lines = records.lines();
        self.report.lines += part.records;
        Ok(part)
    }

    /// Adds the rows of a record, or says why there are none.
    fn record(&mut self, records: &Records<'_>, shape: Shape, nul: bool) -> Result<(), Issue> {
        if nul && memchr(0, records.raw()).is_some() {
            return Err(Issue::Reject(usize::MAX, Reason::NulByte));
        }
        if let Shape::BareQuote(field) = shape {
            return Err(Issue::Reject(field, Reason::BareQuote));
        }
        if records.len() != self.task.layout.names().len() {
            return Err(Issue::Reject(usize::MAX, Reason::WrongFieldCount));
        }
        let before = self.rows.len();
        let mut fields = Fields::new(self.task.layout, records, &mut self.warnings, &mut self.last, self.task.links);
        if let Err(issue) = self.parser.row(&mut fields, &mut self.rows) {
            self.rows.truncate(before);
            self.warnings.clear();
            return Err(issue);
        }
        self.report.valid += 1;
        // While they are at hand: later they are no longer in the processor's cache.
        self.report.made(&self.rows[before..]);
        for warning in self.warnings.drain(..) {
            *self.report.warnings.entry(warning).or_default() += 1;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), ParseError<E>> {
        if !self.rows.is_empty() {
            self.sink.rows(&mut self.rows).map_err(ParseError::Sink)?;
            self.rows.clear();
        }
        Ok(())
    }
}

/// Puts together what the threads did; the file's first block begins after so many lines.
fn merge(done: impl IntoIterator<Item = Done>, lines: u64) -> Parsed {
    let (mut parsed, mut parts) = (Parsed::default(), Vec::new());
    for (report, mut some) in done {
        parsed.report.add(report);
        parts.append(&mut some);
    }
    parts.sort_unstable_by_key(|part| part.index);
    let (mut line, mut record) = (lines, 0);
    for part in &mut parts {
        parsed.rejections.extend(mem::take(&mut part.rejections).into_iter().map(|rejection| Rejection {
            line: rejection.line + line,
            record: rejection.record + record,
            ..rejection
        }));
        (line, record) = (line + part.lines, record + part.records);
    }
    parsed
}

fn digest(line: &[u8]) -> u64 {
    let mut hasher = SEED.build_hasher();
    hasher.write(line);
    hasher.finish()
}

fn rejection(records: &Records<'_>, layout: &Layout, record: u64, field: usize, reason: Reason) -> Rejection {
    let column = layout.names().get(field).cloned();
    let whole = matches!(reason, Reason::WrongFieldCount | Reason::BareQuote | Reason::NulByte) || column.is_none();
    // A whole line may name people: its digits and separators are enough to see what is wrong with it.
    let masked = |c: char| if whole && c.is_alphabetic() { 'x' } else { c };
    let value = if whole { records.raw() } else { records.field(field) };
    let value = decode(value).chars().take(VALUE).map(masked).collect();
    Rejection { line: records.line(), record, column, reason, value }
}
