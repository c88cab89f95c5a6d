//! The console: the hypervisor's log and the serial line.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use core::fmt;
use xen_abi::Errno;

/// How important a line is. Xen's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Something is wrong.
    Warning,
    /// Worth knowing.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

/// Writes to the serial line.
fn emit(args: fmt::Arguments) {
    struct Line;
    impl fmt::Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            machine::console::write(text.as_bytes());
            Ok(())
        }
    }
    // Writing to the line cannot fail.
    let _ = fmt::Write::write_fmt(&mut Line, args);
}

/// The log.
#[derive(Default)]
pub struct Console {}

impl Console {
    /// Logs a line of the hypervisor's own.
    pub fn log(&self, _level: Level, args: fmt::Arguments) {
        emit(format_args!("(XEN) {args}\r\n"));
    }

    /// Logs a line about what a guest did; such lines are rate-limited.
    pub fn log_guest(&self, _level: Level, domid: u16, vcpu: u32, args: fmt::Arguments) {
        emit(format_args!("(XEN) d{domid}v{vcpu} {args}\r\n"));
    }
}

/// Logs a line: `log!(hv, Info, "text {}", value)`.
#[macro_export]
macro_rules! log {
    ($hv:expr, $level:ident, $($arg:tt)*) => {
        $hv.console.log($crate::console::Level::$level, format_args!($($arg)*))
    };
}

/// Logs a line about the calling guest: `guest_log!(cx, Warning, "text")`.
#[macro_export]
macro_rules! guest_log {
    ($cx:expr, $level:ident, $($arg:tt)*) => {
        $cx.hv.console.log_guest(
            $crate::console::Level::$level, $cx.vcpu.domid, $cx.vcpu.id, format_args!($($arg)*))
    };
}

/// The serial line has input.
pub fn input(_hv: &crate::hv::Hypervisor, _cpu: &machine::Cpu) {}

/// The `console_io` hypercall.
pub fn console_io(cx: &mut Cx, [cmd, count, buffer]: [u64; 3]) -> HyperResult {
    use xen_abi::xen::CONSOLEIO_write;
    cx.dom.require_privilege()?;
    if cmd as u32 != CONSOLEIO_write {
        return Err(Fail::Errno(Errno::ENOSYS));
    }
    let mut buf = [0u8; 128];
    let mut done = 0u64;
    while done < count {
        let n = (count - done).min(128) as usize;
        let Some(part) = buf.get_mut(..n) else { break };
        cx.copy_in_bytes(crate::guest::GuestPtr::new(buffer.wrapping_add(done)), part)?;
        machine::console::write(part);
        done += n as u64;
    }
    Ok(done as i64)
}
