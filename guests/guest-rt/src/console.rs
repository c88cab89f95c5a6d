//! Text on the hypervisor's console.
//!
//! One lock around a line buffer would order lines of several vCPUs; a `Line` is built on the
//! writer's stack and sent with one hypercall, which orders them just as well.

use crate::hypercall;
use core::fmt::{self, Write};

const LINE: usize = 512;

/// A line under construction; what does not fit is cut off.
pub struct Line {
    buf: [u8; LINE],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for &byte in s.as_bytes() {
            if let Some(slot) = self.buf.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

/// Sends one formatted piece of text; used by [`crate::println!`].
pub fn print(args: fmt::Arguments<'_>) {
    let mut line = Line {
        buf: [0; LINE],
        len: 0,
    };
    let _ = line.write_fmt(args);
    let _ = hypercall::console_write(line.buf.get(..line.len).unwrap_or(&[]));
}

/// Prints a line on the hypervisor's console.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => {
        $crate::console::print(format_args!("{}\n", format_args!($($arg)*)))
    };
}
