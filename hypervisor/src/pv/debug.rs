//! The debug registers of a PV guest.

use crate::cx::Cx;
use crate::fail::HyperResult;
use machine::CpuApi;
use machine::cpu::guest_va_ok;
use xen_abi::Errno;

/// Bits of DR6 that always read as one.
const DR6_ONES: u64 = 0xffff_0ff0;
/// Bits of DR7 that enable breakpoints.
const DR7_ENABLES: u64 = 0xff;
/// General detect, which would trap the hypervisor's own accesses.
const DR7_GD: u64 = 1 << 13;

/// `set_debugreg`. Errors: `EPERM` for a breakpoint in the hypervisor, `EINVAL`, `ENODEV` for a
/// register that there is not.
pub fn set_debugreg(cx: &mut Cx, [index, value]: [u64; 2]) -> HyperResult {
    match index as u32 as usize {
        index @ 0..=3 => {
            if !guest_va_ok(value, 8) {
                return Err(Errno::EPERM.into());
            }
            if let Some(slot) = cx.st.pv.debug_addr.get_mut(index) {
                *slot = value;
            }
            if cx.st.pv.dr7 & DR7_ENABLES != 0 {
                cx.cpu.set_debug_reg(index, value);
            }
            Ok(0)
        }
        6 => {
            if value >> 32 != 0 {
                return Err(Errno::EINVAL.into());
            }
            cx.st.pv.dr6 = checked_dr6(value);
            cx.cpu.set_debug_reg(6, cx.st.pv.dr6);
            Ok(0)
        }
        7 => set_dr7(cx, value),
        _ => Err(Errno::ENODEV.into()),
    }
}

fn set_dr7(cx: &mut Cx, value: u64) -> HyperResult {
    let new = checked_dr7(value)?;
    if value & DR7_ENABLES != 0 {
        for (i, addr) in cx.st.pv.debug_addr.into_iter().enumerate() {
            cx.cpu.set_debug_reg(i, addr);
        }
    }
    cx.st.pv.dr7 = new;
    cx.cpu.set_debug_reg(7, cx.st.pv.dr7);
    Ok(0)
}

/// DR6 as it may be loaded.
pub fn checked_dr6(value: u64) -> u64 {
    value & 0xe00f | DR6_ONES
}

/// DR7 as it may be loaded. Errors: `EINVAL` beyond 32 bits; `EPERM` for what would trap the
/// hypervisor itself.
pub fn checked_dr7(value: u64) -> Result<u64, Errno> {
    if value >> 32 != 0 {
        return Err(Errno::EINVAL);
    }
    if value & DR7_GD != 0 {
        return Err(Errno::EPERM);
    }
    // An I/O breakpoint (type 2) needs CR4.DE, which PV guests do not have; a length of 8 is
    // allowed in 64-bit mode.
    let enabled = |i: u32| value >> (2 * i) & 3 != 0;
    if (0..4).any(|i| enabled(i) && value >> (16 + 4 * i) & 3 == 2) {
        return Err(Errno::EPERM);
    }
    Ok(value & !0xd000 | 0x400)
}

/// `get_debugreg`. Errors: `ENODEV` for a register that there is not.
pub fn get_debugreg(cx: &mut Cx, [index]: [u64; 1]) -> HyperResult {
    let value = match index as u32 as usize {
        index @ 0..=3 => cx.st.pv.debug_addr.get(index).copied().unwrap_or_default(),
        6 => cx.st.pv.dr6,
        7 => cx.st.pv.dr7,
        _ => return Err(Errno::ENODEV.into()),
    };
    Ok(value as i64)
}
