//! `libquorate_watchdog.so`: a /dev/watchdog for machines that have none, and a /dev/watchdog1.
//!
//! Preloaded into sbd and quorated alone, inside a node of the lab. Opening a device gives a socket to the lab outside the
//! node, where the timer is. Each message on that socket is one of
//!
//! - `O`+`!`: the device is opened; answered by `y`, or `n` where somebody has it;
//! - one byte: what the program itself writes to the device: a keepalive, or 'V', the magic close;
//! - `T` and a decimal number: the timeout in seconds (WDIOC_SETTIMEOUT);
//! - `K`+`!`: a keepalive by ioctl (WDIOC_KEEPALIVE);
//! - `D`+`!`, `E`+`!`: disable and enable (WDIOC_SETOPTIONS);
//! - `RESET`: sbd called reboot(2).
//!
//! Closing the socket without the magic close is a last keepalive and leaves the timer armed, as with the real device.
//!
//! reboot(2) is taken from sbd only: that of quorated is the node's own, which ends its init.
//!
//! The calls taken are variadic in C (`open`, `ioctl`). Here they have their longest argument list: on the ABIs of
//! Linux on x86-64 and arm64 the callee finds these arguments in the same registers either way.
//!
//! Nothing here may panic, allocate or print: it runs inside a real-time daemon with locked memory.

use std::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// Where the lab's sockets are inside a node; the supervisor binds their directory there.
const FIRST: &[u8] = b"/run/quorate-lab/watchdog.sock";
const SECOND: &[u8] = b"/run/quorate-lab/watchdog1.sock";
/// The lab answers at once; a node that is being cut off from it must not hold up whoever opens.
static ANSWER: libc::timeval = libc::timeval { tv_sec: 2, tv_usec: 0 };
/// WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_KEEPALIVEPING
const OPTIONS: u32 = 0x0080 | 0x0100 | 0x8000;
/// The type byte of the watchdog's ioctls.
const WATCHDOG_IOCTL: c_ulong = b'W' as c_ulong;
const WDIOS_DISABLECARD: c_int = 1;
const WDIOS_ENABLECARD: c_int = 2;

/// The descriptor that the program has of the device, or -1. It has one at a time.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);
/// The timeout last set, for WDIOC_GETTIMEOUT.
static TIMEOUT: AtomicI32 = AtomicI32::new(60);

/// `struct watchdog_info` of linux/watchdog.h.
#[repr(C)]
struct WatchdogInfo {
    options: u32,
    firmware_version: u32,
    identity: [u8; 32],
}

/// The address of the next function of that name in the order of libraries: the C library's own.
fn next(name: &CStr, cache: &AtomicUsize) -> usize {
    let known = cache.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    // SAFETY: dlsym is called with a terminated string; its result is only used as a number here.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) } as usize;
    cache.store(found, Ordering::Relaxed);
    found
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: errno's location is valid for the calling thread.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// The socket of the device with this path. A machine of the lab has two; `/dev/watchdog` is the first by its old name.
fn socket_of(path: *const c_char) -> Option<&'static [u8]> {
    if path.is_null() {
        return None;
    }
    // SAFETY: a caller of open gives a terminated string.
    match unsafe { CStr::from_ptr(path) }.to_bytes() {
        b"/dev/watchdog" | b"/dev/watchdog0" => Some(FIRST),
        b"/dev/watchdog1" => Some(SECOND),
        _ => None,
    }
}

/// A connection to the lab, or -1 with errno set.
fn connect(socket: &[u8]) -> c_int {
    // SAFETY: plain system calls on values that live here; the address is initialised before it is used.
    unsafe {
        let fd = libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return -1;
        }
        let mut address: libc::sockaddr_un = std::mem::zeroed();
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in address.sun_path.iter_mut().zip(socket) {
            *to = *from as c_char;
        }
        let length = std::mem::size_of::<libc::sockaddr_un>() as libc::socklen_t;
        if libc::connect(fd, (&raw const address).cast(), length) < 0 {
            let errno = *libc::__errno_location();
            libc::close(fd);
            return fail(errno);
        }
        fd
    }
}

fn open_watchdog(socket: &[u8]) -> c_int {
    let fd = connect(socket);
    if fd < 0 {
        return fd;
    }
    let mut word = [0u8; 1];
    // SAFETY: an open descriptor, and values that live here, with their sizes.
    let heard = unsafe {
        let size = std::mem::size_of::<libc::timeval>() as libc::socklen_t;
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const ANSWER).cast(), size);
        if say(fd, b"O!") < 0 { -1 } else { libc::recv(fd, word.as_mut_ptr().cast(), 1, 0) }
    };
    if heard == 1 && word[0] == b'y' {
        DESCRIPTOR.store(fd, Ordering::Relaxed);
        return fd;
    }
    // SAFETY: the descriptor is ours.
    unsafe { libc::close(fd) };
    fail(if heard == 1 { libc::EBUSY } else { libc::EIO })
}

fn say(fd: c_int, message: &[u8]) -> c_int {
    // SAFETY: the buffer is valid for its length.
    let sent = unsafe { libc::send(fd, message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) };
    if sent < 0 { -1 } else { 0 }
}

/// Tells the lab the timeout: 'T' and the number.
fn say_timeout(fd: c_int, seconds: c_int) -> c_int {
    let mut message = [b'T'; 11];
    let mut at = message.len();
    let mut rest = seconds.unsigned_abs();
    while at > 1 {
        at -= 1;
        message[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    say(fd, &message)
}

type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
type Open2 = unsafe extern "C" fn(*const c_char, c_int) -> c_int;
type Ioctl = unsafe extern "C" fn(c_int, c_ulong, *mut c_void) -> c_int;
type Reboot = unsafe extern "C" fn(c_int) -> c_int;

macro_rules! take_open {
    ($name:ident, $real:literal) => {
        /// # Safety
        /// As the C library's function of this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
            static REAL: AtomicUsize = AtomicUsize::new(0);
            if let Some(socket) = socket_of(path) {
                return open_watchdog(socket);
            }
            match next($real, &REAL) {
                0 => fail(libc::ENOSYS),
                // SAFETY: the C library's function of this name has this signature.
                real => unsafe { std::mem::transmute::<usize, Open>(real)(path, flags, mode) },
            }
        }
    };
}

macro_rules! take_open_2 {
    ($name:ident, $real:literal) => {
        /// # Safety
        /// As the C library's function of this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, flags: c_int) -> c_int {
            static REAL: AtomicUsize = AtomicUsize::new(0);
            if let Some(socket) = socket_of(path) {
                return open_watchdog(socket);
            }
            match next($real, &REAL) {
                0 => fail(libc::ENOSYS),
                // SAFETY: the C library's function of this name has this signature.
                real => unsafe { std::mem::transmute::<usize, Open2>(real)(path, flags) },
            }
        }
    };
}

take_open!(open, c"open");
take_open!(open64, c"open64");
take_open_2!(__open_2, c"__open_2");
take_open_2!(__open64_2, c"__open64_2");

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    static REAL: AtomicUsize = AtomicUsize::new(0);
    let ours = fd >= 0 && fd == DESCRIPTOR.load(Ordering::Relaxed);
    if ours && (request >> 8) & 0xff == WATCHDOG_IOCTL {
        // SAFETY: the caller gives the argument that linux/watchdog.h names for this request.
        return unsafe { watchdog_ioctl(fd, request & 0xff, argument) };
    }
    match next(c"ioctl", &REAL) {
        0 => fail(libc::ENOSYS),
        // SAFETY: the C library's function of this name has this signature.
        real => unsafe { std::mem::transmute::<usize, Ioctl>(real)(fd, request, argument) },
    }
}

/// # Safety
/// `argument` is null or what ioctl(2) demands for the request.
unsafe fn watchdog_ioctl(fd: c_int, number: c_ulong, argument: *mut c_void) -> c_int {
    const KEEPALIVE: c_ulong = 5;
    if argument.is_null() && number != KEEPALIVE {
        return fail(libc::EFAULT);
    }
    let int = argument.cast::<c_int>();
    match number {
        0 => {
            let mut identity = [0u8; 32];
            identity[..11].copy_from_slice(b"quorate-lab");
            let info = WatchdogInfo { options: OPTIONS, firmware_version: 1, identity };
            // SAFETY: not null, and the caller's, of the size that this request has.
            unsafe { argument.cast::<WatchdogInfo>().write(info) };
            0
        }
        1 | 2 => {
            // SAFETY: not null, and the caller's, of the size that this request has.
            unsafe { int.write(0) };
            0
        }
        // SAFETY: as above.
        4 => match unsafe { int.read() } {
            WDIOS_DISABLECARD => say(fd, b"D!"),
            WDIOS_ENABLECARD => say(fd, b"E!"),
            _ => fail(libc::EINVAL),
        },
        KEEPALIVE => say(fd, b"K!"),
        6 => {
            // SAFETY: not null, and the caller's, of the size that this request has.
            let seconds = unsafe { int.read() };
            if seconds < 1 {
                return fail(libc::EINVAL);
            }
            TIMEOUT.store(seconds, Ordering::Relaxed);
            say_timeout(fd, seconds)
        }
        7 => {
            // SAFETY: not null, and the caller's, of the size that this request has.
            unsafe { int.write(TIMEOUT.load(Ordering::Relaxed)) };
            0
        }
        _ => fail(libc::ENOTTY),
    }
}

fn is_sbd() -> bool {
    unsafe extern "C" {
        static program_invocation_short_name: *const c_char;
    }
    // SAFETY: the C library sets it to a terminated string before any code of a program runs.
    unsafe { CStr::from_ptr(program_invocation_short_name) }.to_bytes() == b"sbd"
}

/// # Safety
/// As the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reboot(how: c_int) -> c_int {
    static REAL: AtomicUsize = AtomicUsize::new(0);
    // Enabling and disabling Ctrl-Alt-Del is no reset.
    const RB_ENABLE_CAD: c_int = 0x89AB_CDEFu32 as c_int;
    if how != 0 && how != RB_ENABLE_CAD && is_sbd() {
        let fd = connect(FIRST);
        if fd >= 0 && say(fd, b"RESET") == 0 {
            // The lab cuts the power any moment now. If it doesn't, the real call below does.
            // SAFETY: a plain system call.
            unsafe { libc::sleep(3) };
        }
    }
    match next(c"reboot", &REAL) {
        0 => fail(libc::ENOSYS),
        // SAFETY: the C library's function of this name has this signature.
        real => unsafe { std::mem::transmute::<usize, Reboot>(real)(how) },
    }
}

/// Keeps the compiler honest about the width that the kernel's interface has here.
const _: () = assert!(std::mem::size_of::<c_long>() == std::mem::size_of::<usize>());
