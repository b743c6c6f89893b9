//! `libquorate_clock.so`: a wall clock of the node's own, which can step. The machines of the lab are containers, and the
//! kernel has one wall clock for all of them.
//!
//! Loaded by /etc/ld.so.preload into every program of a node but init, the journal's and its reader, whose stamps the lab
//! compares with the host's clock. By how much the node's clock is ahead of the host's stands in a file that all of them
//! have mapped: a step comes for all at the same moment, also for those that run.
//!
//! `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME` are the kernel's, as on a machine whose clock is set. So are the times of files.
//! A wait that ends at a time of day (`sem_timedwait`) is shortened and prolonged by a step, as the kernel does it. One on a
//! condition variable ends at the time that it had when it began.
//!
//! Nothing here may panic, allocate or print: it runs inside real-time daemons with locked memory, and in signal handlers.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicUsize, Ordering};

/// Where the lab says by how many seconds the clock is ahead: eight bytes, in the machine's own order.
const FILE: &CStr = c"/run/quorate-lab/clock";
/// So soon a wait that is under way hears of a step.
const SLICE: i64 = 250_000_000;
const SECOND: i64 = 1_000_000_000;
/// A time that is later than that, in seconds, is one since 1970; no machine runs for thirty years.
const SINCE_1970: i64 = 1_000_000_000;

/// By how many seconds the clock is ahead; null where the file is not there.
static AHEAD: AtomicPtr<AtomicI64> = AtomicPtr::new(ptr::null_mut());
static CLOCK_GETTIME: AtomicUsize = AtomicUsize::new(0);
static SEM_TIMEDWAIT: AtomicUsize = AtomicUsize::new(0);
static COND_TIMEDWAIT: AtomicUsize = AtomicUsize::new(0);

type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
type SemTimedwait = unsafe extern "C" fn(*mut libc::sem_t, *const libc::timespec) -> c_int;
type CondTimedwait = unsafe extern "C" fn(
    *mut libc::pthread_cond_t,
    *mut libc::pthread_mutex_t,
    *const libc::timespec,
) -> c_int;

unsafe extern "C" {
    fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
}

/// Its present interface; that of 1997 has the same name.
#[cfg(target_arch = "x86_64")]
const COND_VERSION: &CStr = c"GLIBC_2.3.2";
#[cfg(not(target_arch = "x86_64"))]
const COND_VERSION: &CStr = c"GLIBC_2.17";

/// Called by the dynamic loader before `main`, with its arguments: before a daemon gives its rights up or locks its memory.
extern "C" fn begin(_: c_int, arguments: *const *const c_char, _: *const *const c_char) {
    // SAFETY: names are terminated strings; what dlsym gives is only kept as a number here.
    unsafe {
        CLOCK_GETTIME
            .store(libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) as usize, Ordering::Relaxed);
        SEM_TIMEDWAIT
            .store(libc::dlsym(libc::RTLD_NEXT, c"sem_timedwait".as_ptr()) as usize, Ordering::Relaxed);
        let wait = dlvsym(libc::RTLD_NEXT, c"pthread_cond_timedwait".as_ptr(), COND_VERSION.as_ptr());
        COND_TIMEDWAIT.store(wait as usize, Ordering::Relaxed);
    }
    if !has_the_hosts_clock(arguments) {
        AHEAD.store(map(), Ordering::Relaxed);
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = begin;

/// Whether this is one of those that the lab compares with the host's clock.
fn has_the_hosts_clock(arguments: *const *const c_char) -> bool {
    // SAFETY: the loader gives main's arguments: a list that ends with null, of terminated strings.
    let name = unsafe {
        if libc::getpid() == 1 || arguments.is_null() || (*arguments).is_null() {
            return true;
        }
        CStr::from_ptr(*arguments).to_bytes()
    };
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    name == b"systemd-journald" || name == b"journalctl"
}

/// The file, or null.
fn map() -> *mut AtomicI64 {
    // SAFETY: system calls on values that live here. Not the library's open, which another preloaded library may take.
    unsafe {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, FILE.as_ptr(), flags) as c_int;
        if fd < 0 {
            return ptr::null_mut();
        }
        let size = std::mem::size_of::<AtomicI64>();
        let mapped = libc::mmap(ptr::null_mut(), size, libc::PROT_READ, libc::MAP_SHARED, fd, 0);
        libc::syscall(libc::SYS_close, fd);
        if mapped == libc::MAP_FAILED { ptr::null_mut() } else { mapped.cast() }
    }
}

/// By how many seconds this program's clock is ahead of the host's.
fn ahead() -> i64 {
    let at = AHEAD.load(Ordering::Relaxed);
    // SAFETY: null, or the mapping, which is never taken away; the file has eight bytes from the beginning, and is never cut.
    unsafe { at.as_ref() }.map_or(0, |seconds| seconds.load(Ordering::Relaxed))
}

const fn is_wall(clock: libc::clockid_t) -> bool {
    matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI)
}

/// The kernel's own time.
fn real(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    match CLOCK_GETTIME.load(Ordering::Relaxed) {
        // SAFETY: the kernel checks the address; errno is set as the C library does.
        0 => unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int },
        // SAFETY: the C library's function of this name has this signature.
        real => unsafe { std::mem::transmute::<usize, ClockGettime>(real)(clock, time) },
    }
}

/// The wall clock of the node.
fn wall(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    real(clock, &raw mut time);
    time.tv_sec = time.tv_sec.wrapping_add(ahead());
    time
}

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let done = real(clock, time);
    if done == 0 && is_wall(clock) && !time.is_null() {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec = (*time).tv_sec.wrapping_add(ahead()) };
    }
    done
}

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(time: *mut libc::timeval, zone: *mut c_void) -> c_int {
    // SAFETY: null, or the caller's; a time zone is two numbers, and the kernel has none.
    unsafe {
        if !zone.is_null() {
            zone.cast::<[c_int; 2]>().write([0, 0]);
        }
        if !time.is_null() {
            let now = wall(libc::CLOCK_REALTIME);
            time.write(libc::timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1000 });
        }
    }
    0
}

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(to: *mut libc::time_t) -> libc::time_t {
    let now = wall(libc::CLOCK_REALTIME_COARSE).tv_sec;
    if !to.is_null() {
        // SAFETY: the caller's.
        unsafe { to.write(now) };
    }
    now
}

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timespec_get(time: *mut libc::timespec, base: c_int) -> c_int {
    const TIME_UTC: c_int = 1;
    if base != TIME_UTC || time.is_null() {
        return 0;
    }
    // SAFETY: the caller's, and not null.
    unsafe { time.write(wall(libc::CLOCK_REALTIME)) };
    base
}

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sem_timedwait(semaphore: *mut libc::sem_t, until: *const libc::timespec) -> c_int {
    let wait = match SEM_TIMEDWAIT.load(Ordering::Relaxed) {
        0 => return fail(libc::ENOSYS),
        // SAFETY: the C library's function of this name has this signature.
        real => unsafe { std::mem::transmute::<usize, SemTimedwait>(real) },
    };
    loop {
        // SAFETY: the caller's, as for the C library's function.
        let wanted = unsafe { *until };
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        real(libc::CLOCK_REALTIME, &raw mut now);
        let wanted = libc::timespec { tv_sec: wanted.tv_sec.wrapping_sub(ahead()), ..wanted };
        let slice = later(now, SLICE);
        let last = (wanted.tv_sec, wanted.tv_nsec) <= (slice.tv_sec, slice.tv_nsec);
        let at = if last { wanted } else { slice };
        // SAFETY: as above.
        let waited = unsafe { wait(semaphore, &raw const at) };
        // SAFETY: errno's location is valid for the calling thread.
        if waited == 0 || last || unsafe { *libc::__errno_location() } != libc::ETIMEDOUT {
            return waited;
        }
    }
}

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_cond_timedwait(
    condition: *mut libc::pthread_cond_t,
    mutex: *mut libc::pthread_mutex_t,
    until: *const libc::timespec,
) -> c_int {
    let wait = match COND_TIMEDWAIT.load(Ordering::Relaxed) {
        0 => return libc::ENOSYS,
        // SAFETY: the C library's function of this name has this signature.
        real => unsafe { std::mem::transmute::<usize, CondTimedwait>(real) },
    };
    // SAFETY: the caller's, as for the C library's function.
    let mut at = unsafe { *until };
    // Whose clock is the monotonic one only the C library knows.
    if at.tv_sec > SINCE_1970 {
        at.tv_sec = at.tv_sec.wrapping_sub(ahead());
    }
    // SAFETY: as above.
    unsafe { wait(condition, mutex, &raw const at) }
}

const fn later(time: libc::timespec, by: i64) -> libc::timespec {
    let nanoseconds = time.tv_nsec.wrapping_add(by);
    libc::timespec { tv_sec: time.tv_sec.wrapping_add(nanoseconds / SECOND), tv_nsec: nanoseconds % SECOND }
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: errno's location is valid for the calling thread.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// Keeps the compiler honest about the width that the kernel's interface has here.
const _: () = assert!(std::mem::size_of::<c_long>() == std::mem::size_of::<i64>());
