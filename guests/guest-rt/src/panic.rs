//! A panic prints its message and ends the run with the harness's failure line.

use core::panic::PanicInfo;

#[cfg_attr(not(test), panic_handler)]
#[cfg_attr(test, allow(dead_code))]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::println!("GUEST-PANIC {info}");
    crate::hypercall::poweroff()
}
