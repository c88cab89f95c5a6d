//! A vCPU's FPU and extended state as tools see it: the image that XSAVE writes in its standard
//! form, checked so that restoring it cannot fault.

use crate::domain::VcpuState;
use machine::{Cpu, CpuApi};
use xen_abi::Errno;

/// Components that guests may have: x87, SSE, AVX and AVX-512.
pub const COMPONENTS: u64 = 0xe7;
/// x87 and SSE.
const LEGACY: u64 = 3;
const AVX: u64 = 1 << 2;
const AVX512: u64 = 7 << 5;
/// Bytes of the part that FXSAVE writes.
const FXSAVE: usize = 512;
/// Bytes of that and the header.
pub const MIN_SIZE: usize = FXSAVE + 64;
/// Bits of MXCSR that can be set, and where it is.
const MXCSR: u32 = 0xffff;
const MXCSR_AT: usize = 24;
/// FCW and MXCSR after reset.
const FCW_RESET: u16 = 0x37f;
const MXCSR_RESET: u32 = 0x1f80;
/// CPUID leaf 1 ECX: XSAVE.
const HAS_XSAVE: u32 = 1 << 26;

/// Components that guests of this machine may have; 0 without XSAVE.
pub fn supported(cpu: &Cpu) -> u64 {
    if cpu.cpuid(1, 0)[2] & HAS_XSAVE == 0 {
        return 0;
    }
    u64::from(cpu.cpuid(0xd, 0)[0]) & COMPONENTS
}

/// Bytes of an image with `components`.
pub fn size(cpu: &Cpu, components: u64) -> usize {
    let ends = (2..8).filter(|i| components >> i & 1 != 0).map(|i| {
        let [bytes, at, ..] = cpu.cpuid(0xd, i);
        (bytes as usize).saturating_add(at as usize)
    });
    ends.fold(MIN_SIZE, usize::max)
}

/// Every component that the vCPU ever had.
pub fn accumulated(st: &VcpuState) -> u64 {
    st.xcr0_accum | st.pv.fpu.xcr0
}

/// Whether the processor takes `xcr0`, of whose components all are `supported`.
fn is_valid(xcr0: u64, supported: u64) -> bool {
    let avx512 = xcr0 & AVX512;
    xcr0 & 1 != 0
        && xcr0 & !supported == 0
        && (xcr0 & AVX == 0 || xcr0 & LEGACY == LEGACY)
        && (avx512 == 0 || avx512 == AVX512 && xcr0 & AVX != 0)
}

/// Of a whole image, the part that FXSAVE writes.
pub fn legacy(image: &[u8], to: &mut [u8; FXSAVE]) {
    if let Some(image) = image.get(..FXSAVE) {
        to.copy_from_slice(image);
    }
}

/// Sets x87 and SSE from an image of FXSAVE, or to their state after reset, and all else to
/// that.
pub fn set_legacy(image: &mut [u8], from: Option<&[u8; FXSAVE]>) {
    image.fill(0);
    match from {
        Some(from) => {
            put(image, 0, from);
            put(image, FXSAVE, &LEGACY.to_le_bytes());
            mask_mxcsr(image);
        }
        None => {
            put(image, 0, &FCW_RESET.to_le_bytes());
            put(image, MXCSR_AT, &MXCSR_RESET.to_le_bytes());
        }
    }
}

/// Sets all state from an image of XSAVE and the XCR0 it goes with. A component that XCR0 lacks
/// is at its first state. Errors: `EINVAL` for an XCR0 that the processor does not take and a
/// malformed image; `EOPNOTSUPP` for a compacted one.
pub fn set(
    cpu: &Cpu,
    st: &mut VcpuState,
    xcr0: u64,
    accumulated: u64,
    area: &[u8],
) -> Result<(), Errno> {
    let image = st.pv.fpu.bytes_mut();
    fill(cpu, image, supported(cpu), xcr0, accumulated, area)?;
    st.pv.fpu.xcr0 = xcr0;
    st.xcr0_accum = accumulated;
    Ok(())
}

/// Makes an image of `area`, for a vCPU whose components are `supported` at most. Errors: as
/// [`set`]; the image is as it was then.
pub fn fill(
    cpu: &Cpu,
    image: &mut [u8],
    supported: u64,
    xcr0: u64,
    accumulated: u64,
    area: &[u8],
) -> Result<(), Errno> {
    if !is_valid(xcr0, supported) || !is_valid(accumulated, supported) || xcr0 & !accumulated != 0 {
        return Err(Errno::EINVAL);
    }
    let header = area.get(FXSAVE..MIN_SIZE).ok_or(Errno::EINVAL)?;
    let (present, rest) = header.split_first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let (compacted, reserved) = rest.split_first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let present = u64::from_le_bytes(*present);
    if *compacted != [0; 8] {
        return Err(Errno::EOPNOTSUPP);
    }
    if present & !(accumulated | LEGACY) != 0 || reserved.iter().any(|&byte| byte != 0) {
        return Err(Errno::EINVAL);
    }
    let len = area.len().min(image.len()).min(size(cpu, accumulated));
    image.fill(0);
    put(image, 0, area.get(..len).unwrap_or_default());
    put(image, FXSAVE, &(present & (xcr0 | LEGACY)).to_le_bytes());
    mask_mxcsr(image);
    Ok(())
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    let to = image.get_mut(at..).and_then(|to| to.get_mut(..bytes.len()));
    if let Some(to) = to {
        to.copy_from_slice(bytes);
    }
}

fn mask_mxcsr(image: &mut [u8]) {
    if let Some(word) = image
        .get_mut(MXCSR_AT..)
        .and_then(|at| at.first_chunk_mut())
    {
        *word = (u32::from_le_bytes(*word) & MXCSR).to_le_bytes();
    }
}
