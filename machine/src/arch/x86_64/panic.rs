//! What is printed when the hypervisor itself fails, and what is done then.

use core::fmt::Write;

use super::{io, serial::Serial};

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    let _ = writeln!(Serial, "\nXenios panic: {info}");
    io::halt_forever()
}
