//! Memory type range registers, read as the firmware set them. Intel SDM volume 3, 12.11.

use crate::cx::Cx;
use crate::fail::HyperResult;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::platform::*;

const MTRR_CAP: u32 = 0xfe;
const PHYS_BASE_0: u32 = 0x200;
const VALID: u64 = 1 << 11;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// `XENPF_add_memtype`: guests choose memory types by PAT, and the host's MTRRs stay as the
/// firmware set them. Errors: `EINVAL` for an empty range or a type that there is not; `ENODEV`.
pub fn add(op: &PlatformOp) -> HyperResult {
    let arg: XenpfAddMemtype = op.arm();
    let known = matches!(arg.r#type, 0 | 1 | 4 | 5 | 6);
    // Below 1 MiB are the fixed ranges.
    if known && arg.nr_mfns != 0 && arg.mfn >= 0x100 {
        Err(Errno::ENODEV.into())
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// `XENPF_del_memtype`: nothing was added. Errors: `EINVAL`.
pub fn del(_: &PlatformOp) -> HyperResult {
    Err(Errno::EINVAL.into())
}

/// `XENPF_read_memtype`. Errors: `EINVAL` past the last register.
pub fn read(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    let mut arg: XenpfReadMemtype = op.arm();
    let count = cx.cpu.rdmsr(MTRR_CAP).map_or(0, |cap| cap as u32 & 0xff);
    if arg.reg >= count {
        return Err(Errno::EINVAL.into());
    }
    let at = PHYS_BASE_0.saturating_add(arg.reg.saturating_mul(2));
    let base = cx.cpu.rdmsr(at).unwrap_or(0);
    let mask = cx.cpu.rdmsr(at.saturating_add(1)).unwrap_or(0);
    (arg.mfn, arg.nr_mfns, arg.r#type) = (0, 0, 0);
    if mask & VALID != 0 {
        let bits = (cx.cpu.cpuid(0x8000_0008, 0)[0] & 0xff).clamp(32, 52);
        let width = (1u64 << bits).wrapping_sub(1);
        arg.mfn = (base & ADDRESS & width) >> 12;
        // A mask's zeros are the range's size, less one.
        arg.nr_mfns = ((!(mask & ADDRESS) & width) >> 12).saturating_add(1);
        arg.r#type = (base & 0xff) as u32;
    }
    op.set_arm(&arg);
    Ok(0)
}
