//! Copies from and to the calling guest's linear addresses: with the rights of what it runs, or
//! with its kernel's, for what it asked the hypervisor to write at any time.

use super::walk::Access;
use crate::cx::Cx;
use machine::hvm::HvmApi;
use machine::{CpuApi, Gfn, PAGE_SIZE, Page};
use x86_emulate::Trap;
use xen_abi::compat::Width;

/// 32-bit code has nothing beyond its addresses, whatever its tables say.
#[inline]
fn nameable(cx: &Cx, va: u64) -> Result<(), Trap> {
    match cx.width == Width::W32 && va > u32::MAX.into() {
        true => Err(Trap::page_fault(va, 0)),
        false => Ok(()),
    }
}

/// Calls `each` with the pieces of an access that lie in one page: the page, whether it may be
/// written, the offset in it, and the range of the buffer.
fn pieces(
    cx: &Cx,
    va: u64,
    len: usize,
    access: Access,
    mut each: impl FnMut(&Page, usize, core::ops::Range<usize>) -> bool,
) -> Result<(), Trap> {
    let hvm = cx.st.hvm.as_ref().ok_or(Trap::GP)?;
    let flags = cx.cpu.regs().rflags;
    let mut done = 0;
    while done < len {
        let at = va.checked_add(done as u64).ok_or(Trap::GP)?;
        nameable(cx, at)?;
        let offset = at as usize & (PAGE_SIZE - 1);
        let count = (PAGE_SIZE - offset).min(len - done);
        let gpa = hvm.translate(at, flags, access)?;
        let found = hvm.memory.page(Gfn(gpa >> 12));
        let (page, writable) = found.ok_or(Trap::page_fault(at, 0))?;
        if access.write && !writable || !each(&page, offset, done..done + count) {
            return Err(Trap::page_fault(at, 0));
        }
        done += count;
    }
    Ok(())
}

/// An access of what the guest runs.
fn own(cx: &Cx) -> Access {
    Access {
        user: cx.st.hvm.as_ref().is_some_and(|hvm| hvm.state.cpl() == 3),
        ..Access::default()
    }
}

/// Copies from guest memory. Errors: the trap that the access is.
pub fn read(cx: &Cx, va: u64, buf: &mut [u8]) -> Result<(), Trap> {
    read_as(cx, va, buf, own(cx))
}

/// As [`read`], for the guest's kernel.
pub fn read_kernel(cx: &Cx, va: u64, buf: &mut [u8]) -> Result<(), Trap> {
    read_as(cx, va, buf, Access::default())
}

fn read_as(cx: &Cx, va: u64, buf: &mut [u8], access: Access) -> Result<(), Trap> {
    // For what lies in one word, as most arguments do, the frame need not be held. Nothing lies
    // nowhere, wherever that is.
    if buf.len().wrapping_sub(1) < 8 - (va & 7) as usize {
        nameable(cx, va)?;
        let hvm = cx.st.hvm.as_ref().ok_or(Trap::GP)?;
        let gpa = hvm.translate(va, cx.cpu.regs().rflags, access)?;
        let word = hvm.memory.read_word(gpa).ok_or(Trap::page_fault(va, 0))?;
        let bytes = (word >> (8 * (gpa & 7))).to_le_bytes();
        buf.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        return Ok(());
    }
    pieces(cx, va, buf.len(), access, |page, offset, range| {
        buf.get_mut(range)
            .is_some_and(|part| page.read(offset, part))
    })
}

/// As [`read`], for code.
pub fn fetch(cx: &Cx, va: u64, buf: &mut [u8]) -> Result<(), Trap> {
    let access = Access {
        exec: true,
        ..own(cx)
    };
    pieces(cx, va, buf.len(), access, |page, offset, range| {
        buf.get_mut(range)
            .is_some_and(|part| page.read(offset, part))
    })
}

/// Copies to guest memory. Errors: the trap that the access is; what lay in pages before it was
/// written.
pub fn write(cx: &Cx, va: u64, buf: &[u8]) -> Result<(), Trap> {
    write_as(cx, va, buf, own(cx))
}

/// As [`write`], for the guest's kernel.
pub fn write_kernel(cx: &Cx, va: u64, buf: &[u8]) -> Result<(), Trap> {
    write_as(cx, va, buf, Access::default())
}

fn write_as(cx: &Cx, va: u64, buf: &[u8], access: Access) -> Result<(), Trap> {
    let access = Access {
        write: true,
        ..access
    };
    pieces(cx, va, buf.len(), access, |page, offset, range| {
        buf.get(range).is_some_and(|part| page.write(offset, part))
    })
}
