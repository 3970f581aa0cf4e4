//! The functions that LightGBM calls to talk with other machines, over the [`Mesh`] of the calling thread: LightGBM keeps its
//! network by thread, and calls from the thread that makes a data set or grows a tree.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::io;
use std::marker::PhantomData;
use std::slice;

use lightgbm3_sys as sys;

use crate::error::Result;
use crate::ffi::{c_count, check};
use crate::mesh::Mesh;

/// Adds `size` bytes of values of `type_size` bytes from `input` into `output`, as LightGBM does for what it exchanges.
type Reduce = unsafe extern "C" fn(input: *const c_char, output: *mut c_char, type_size: c_int, size: i32);
type ReduceScatter =
    unsafe extern "C" fn(*const c_char, i32, c_int, *const i32, *const i32, c_int, *mut c_char, i32, Reduce, *mut c_char, usize) -> c_int;
type Allgather = unsafe extern "C" fn(*const c_char, i32, *const i32, *const i32, c_int, *mut c_char, i32, *mut c_char, usize) -> c_int;

unsafe extern "C" {
    // Of `collective.cpp`.
    fn trees_network_join(machines: c_int, rank: c_int, reduce_scatter: ReduceScatter, allgather: Allgather) -> c_int;
}

thread_local! {
    static MESH: RefCell<Option<Mesh>> = const { RefCell::new(None) };
}

/// The calling thread's place among machines that train together: data sets and boosters made on this thread while it is
/// joined are shared with the others.
#[derive(Debug)]
pub(crate) struct NetworkHandle {
    pub(crate) machines: usize,
    /// Not to be moved to another thread.
    here: PhantomData<*const ()>,
}

impl NetworkHandle {
    /// Makes these connections, of `machines` machines, those of the calling thread.
    pub(crate) fn join(mesh: Mesh, rank: usize, machines: usize) -> Result<Self> {
        let (rank_c, count) = (c_count("rank", rank)?, c_count("machines", machines)?);
        MESH.set(Some(mesh));
        let handle = Self { machines, here: PhantomData };
        // SAFETY: the log function and the two operations are functions of the program, which live as long as it does.
        let code = unsafe {
            sys::LGBM_RegisterLogCallback(Some(ignore));
            let code = trees_network_join(count, rank_c, reduce_scatter, allgather);
            sys::LGBM_RegisterLogCallback(None);
            code
        };
        check("LGBM_NetworkInitWithFunctions", code)?;
        Ok(handle)
    }
}

impl Drop for NetworkHandle {
    fn drop(&mut self) {
        // SAFETY: it forgets the network of the calling thread, the one that joined: the handle cannot be sent elsewhere.
        unsafe { sys::LGBM_NetworkFree() };
        MESH.set(None);
    }
}

/// LightGBM greets on the standard output.
unsafe extern "C" fn ignore(_: *const c_char) {}

fn with_mesh<T>(act: impl FnOnce(&mut Mesh) -> io::Result<T>) -> io::Result<T> {
    let none = || io::Error::other("this thread has not joined other machines");
    MESH.with_borrow_mut(|mesh| act(mesh.as_mut().ok_or_else(none)?))
}

/// What LightGBM gives; nothing is at a null pointer.
///
/// # Safety
/// `start` points to `count` values, which nobody writes meanwhile, or is null.
unsafe fn given<'a, T>(start: *const T, count: i32) -> &'a [T] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(start, usize::try_from(count).unwrap_or(0)) }
}

/// Where each block lies among `bytes` bytes.
///
/// # Safety
/// `starts` and `lengths` point to `count` numbers.
unsafe fn blocks(starts: *const i32, lengths: *const i32, count: c_int, bytes: i32) -> io::Result<Vec<std::ops::Range<usize>>> {
    // SAFETY: the caller's promise.
    let (starts, lengths) = unsafe { (given(starts, count), given(lengths, count)) };
    let inside = |(&start, &length): (&i32, &i32)| {
        let (start, length, bytes) = (usize::try_from(start).ok()?, usize::try_from(length).ok()?, usize::try_from(bytes).ok()?);
        (start + length <= bytes).then_some(start..start + length)
    };
    starts.iter().zip(lengths).map(inside).collect::<Option<_>>().ok_or_else(|| io::Error::other("a block lies outside of its buffer"))
}

/// Tells C++ what went wrong, in at most `size` bytes with the final NUL; 0 when nothing did.
///
/// # Safety
/// `problem` points to `size` bytes.
unsafe fn outcome(done: io::Result<()>, problem: *mut c_char, size: usize) -> c_int {
    let Err(error) = done else { return 0 };
    let text = error.to_string();
    let length = text.len().min(size.saturating_sub(1));
    // SAFETY: the caller's promise; `length` is below `size`.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), problem, length);
        problem.add(length).write(0);
    }
    1
}

/// Adds up this machine's block over all machines, in the order of their numbers, so that the sum is always the same.
///
/// # Safety
/// As LightGBM's `ReduceScatterFunction`: the pointers are valid for the sizes given, for `count` blocks of `input`.
unsafe extern "C" fn reduce_scatter(
    input: *const c_char,
    input_size: i32,
    type_size: c_int,
    starts: *const i32,
    lengths: *const i32,
    count: c_int,
    output: *mut c_char,
    output_size: i32,
    reduce: Reduce,
    problem: *mut c_char,
    problem_size: usize,
) -> c_int {
    let act = || {
        // SAFETY: LightGBM's promise; nothing writes to the input meanwhile.
        let (blocks, input) = unsafe { (blocks(starts, lengths, count, input_size)?, given(input.cast::<u8>(), input_size)) };
        let received = with_mesh(|mesh| mesh.scatter(blocks.into_iter().map(|block| input[block].to_vec()).collect()))?;
        for (rank, block) in received.iter().enumerate() {
            let size = i32::try_from(block.len()).map_err(io::Error::other)?;
            if size > output_size {
                return Err(io::Error::other("the block is larger than the buffer for it"));
            }
            // SAFETY: both hold `size` bytes, as checked; LightGBM's output is none of our buffers.
            unsafe {
                if rank == 0 {
                    std::ptr::copy_nonoverlapping(block.as_ptr().cast(), output, block.len());
                } else {
                    reduce(block.as_ptr().cast(), output, type_size, size);
                }
            }
        }
        Ok(())
    };
    // SAFETY: `collective.cpp` gives a buffer of that size.
    unsafe { outcome(act(), problem, problem_size) }
}

/// Writes the blocks of all machines into the output, which may overlap the input.
///
/// # Safety
/// As LightGBM's `AllgatherFunction`: the pointers are valid for the sizes given, for `count` blocks of `output`.
unsafe extern "C" fn allgather(
    input: *const c_char,
    input_size: i32,
    starts: *const i32,
    lengths: *const i32,
    count: c_int,
    output: *mut c_char,
    output_size: i32,
    problem: *mut c_char,
    problem_size: usize,
) -> c_int {
    let act = || {
        // SAFETY: LightGBM's promise.
        let blocks = unsafe { blocks(starts, lengths, count, output_size)? };
        // SAFETY: LightGBM's promise; the copy is made before anything is written.
        let own = unsafe { given(input.cast::<u8>(), input_size) }.to_vec();
        let sizes: Vec<usize> = blocks.iter().map(std::ops::Range::len).collect();
        let received = with_mesh(|mesh| mesh.allgather(own, &sizes))?;
        for (block, bytes) in blocks.iter().zip(&received) {
            // SAFETY: the block lies in the output, as checked, and what came has its length: the mesh checks that.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), output.add(block.start), bytes.len()) };
        }
        Ok(())
    };
    // SAFETY: `collective.cpp` gives a buffer of that size.
    unsafe { outcome(act(), problem, problem_size) }
}
