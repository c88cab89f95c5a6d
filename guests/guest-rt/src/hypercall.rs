//! Hypercalls through the hypercall page, as `Result<i64, i64>`: the error is Xen's positive
//! errno value.
//!
//! Unsafe: the call itself. A hypercall can change this kernel's own mappings; that is what the
//! kernels test, and what each of them must keep to frames of its pool.

use core::arch::asm;

/// Success value, or the positive errno.
pub type HyperResult = Result<i64, i64>;

unsafe extern "C" {
    static hypercall_page: [u8; 4096];
}

/// The largest errno value; results below its negation are data.
const MAX_ERRNO: i64 = 4095;

/// The raw hypercall `nr`, with five arguments.
pub fn raw(nr: u32, args: [u64; 5]) -> i64 {
    let page = &raw const hypercall_page as u64;
    let target = page + u64::from(nr) * 32;
    let result: i64;
    // SAFETY: the hypercall ABI: five arguments in rdi, rsi, rdx, r10, r8, result in rax;
    // argument registers, rcx and r11 may change. No red zone on this target.
    unsafe {
        asm!(
            "call {target}",
            target = in(reg) target,
            inlateout("rdi") args[0] => _,
            inlateout("rsi") args[1] => _,
            inlateout("rdx") args[2] => _,
            inlateout("r10") args[3] => _,
            inlateout("r8") args[4] => _,
            out("rax") result,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// Hypercall `nr` with up to five arguments.
pub fn call(nr: u32, args: [u64; 5]) -> HyperResult {
    let result = raw(nr, args);
    if (-MAX_ERRNO..0).contains(&result) { Err(-result) } else { Ok(result) }
}

/// Powers the machine off; does not return.
pub fn poweroff() -> ! {
    let reason: u32 = 0;
    loop {
        let _ = call(29, [2, &raw const reason as u64, 0, 0, 0]);
    }
}
