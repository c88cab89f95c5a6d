//! FPU and extended state, kept in an XSAVE image for each vCPU and switched eagerly.
//!
//! Why unsafe: XSAVE and XRSTOR. Invariant: the image is as large as CPUID says for every
//! component the processor has, and 64-byte aligned.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::arch::asm;
use core::ptr::NonNull;
use spin::Once;

/// Bytes reserved; larger than any processor's standard-format state without AMX tiles.
const BYTES: usize = 4096;

/// x87 and SSE.
const LEGACY: u64 = 3;

/// The image of one vCPU.
pub struct Fpu {
    image: NonNull<u8>,
    /// XCR0 of its owner.
    pub xcr0: u64,
}

// SAFETY: the image is owned memory.
unsafe impl Send for Fpu {}
// SAFETY: shared references only read.
unsafe impl Sync for Fpu {}

const LAYOUT: Layout = match Layout::from_size_align(BYTES, 64) {
    Ok(layout) => layout,
    Err(_) => panic!("layout"),
};

impl Fpu {
    /// The state after reset (FCW 0x37f, MXCSR 0x1f80), with x87 and SSE switched on, as PV
    /// guests expect. `None` when memory runs out.
    pub fn new() -> Option<Fpu> {
        // SAFETY: the layout's size is not zero.
        let image = NonNull::new(unsafe { alloc_zeroed(LAYOUT) })?;
        let mut fpu = Fpu { image, xcr0: 3 };
        fpu.bytes_mut()[0..2].copy_from_slice(&0x37fu16.to_le_bytes());
        fpu.bytes_mut()[24..28].copy_from_slice(&0x1f80u32.to_le_bytes());
        Some(fpu)
    }

    /// The image: 512 bytes of FXSAVE, the XSAVE header, extended components.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: owned, of that size, initialised.
        unsafe { core::slice::from_raw_parts(self.image.as_ptr(), BYTES) }
    }

    /// The image, to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.image.as_ptr(), BYTES) }
    }

    /// Saves the processor's state here.
    pub(super) fn save(&mut self, has_xsave: bool) {
        let p = self.image.as_ptr();
        // SAFETY: the image is large enough for all components, aligned, and TS is clear.
        unsafe {
            asm!("clts", options(nomem, nostack));
            if has_xsave {
                self.xcr0 = xgetbv();
                // SSE is there without XSAVE, too.
                if self.xcr0 & LEGACY != LEGACY {
                    xsetbv(self.xcr0 | LEGACY);
                }
                asm!("xsave64 [{}]", in(reg) p, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack));
            } else {
                asm!("fxsave64 [{}]", in(reg) p, options(nostack));
            }
        }
        // XSAVE leaves the header's bits of components that XCR0 lacks, and XRSTOR refuses them.
        let xcr0 = self.xcr0 | LEGACY;
        if let Some(word) = self
            .bytes_mut()
            .get_mut(512..)
            .and_then(|at| at.first_chunk_mut())
        {
            *word = (u64::from_le_bytes(*word) & xcr0).to_le_bytes();
        }
    }

    /// Brings this state into the processor; the state after reset when it is malformed.
    pub(super) fn restore(&self, has_xsave: bool) {
        // SAFETY: clears a flag that the hypervisor owns.
        unsafe { asm!("clts", options(nomem, nostack)) };
        if keeps_pointers() {
            forget_pointers();
        }
        if has_xsave {
            // All of it is loaded, as what this guest has switched off is in its image at its
            // first state: else it would find another guest's registers when it switches it on.
            xsetbv(components());
        }
        if !load(self.image.as_ptr(), has_xsave) {
            // What another guest left in the registers must not stay there.
            load(CLEAN.0.as_ptr(), has_xsave);
        }
        if has_xsave {
            xsetbv(self.xcr0);
        }
    }
}

/// Whether the processor loads the addresses of the last x87 instruction and of its operand only
/// when an exception waits: AMD's without `RstrFpErrPtrs` (CPUID Fn8000_0008 EBX).
fn keeps_pointers() -> bool {
    static KEEPS: Once<bool> = Once::new();
    *KEEPS.call_once(|| {
        let (_, b, _, _) = super::io::cpuid(0, 0);
        // "Auth", "Hygo".
        let amd = matches!(b, 0x6874_7541 | 0x6f67_7948);
        amd && super::io::cpuid_max(0x8000_0008, 0).1 & 1 << 2 == 0
    })
}

/// Executes an x87 instruction of the host's, so that no guest reads where another's last was.
fn forget_pointers() {
    static OPERAND: u32 = 0;
    // SAFETY: changes the FPU's registers only, which the caller loads anew. No exception waits
    // and the stack is empty, so none is raised.
    unsafe {
        asm!("fnclex", "emms", "fild dword ptr [{}]", in(reg) &raw const OPERAND,
            options(nostack, preserves_flags));
    }
}

/// Components that a guest can switch on, of those that the processor has: x87, SSE, AVX and
/// AVX-512.
fn components() -> u64 {
    static THERE: Once<u64> = Once::new();
    *THERE.call_once(|| u64::from(super::io::cpuid(0xd, 0).0) & 0xe7)
}

/// An image of the state after reset: all components but MXCSR are marked as such.
#[repr(align(64))]
struct Clean([u8; BYTES]);

static CLEAN: Clean = {
    let mut image = [0; BYTES];
    let fcw = 0x37fu16.to_le_bytes();
    let mxcsr = 0x1f80u32.to_le_bytes();
    (image[0], image[1]) = (fcw[0], fcw[1]);
    (image[24], image[25]) = (mxcsr[0], mxcsr[1]);
    Clean(image)
};

/// Loads an image of [`BYTES`] bytes, 64-byte aligned. `false` when the processor refuses it.
fn load(image: *const u8, has_xsave: bool) -> bool {
    let ok: u32;
    // SAFETY: only the guest's FPU registers change; a malformed image faults, which the
    // exception table turns into `false`.
    unsafe {
        if has_xsave {
            asm!(
                "2: xrstor64 [{p}]",
                "mov {ok:e}, 1",
                "jmp 4f",
                "3: xor {ok:e}, {ok:e}",
                "4:",
                ".pushsection .ex_table, \"a\"",
                ".balign 8",
                ".quad 2b, 3b",
                ".popsection",
                p = in(reg) image, ok = out(reg) ok,
                in("eax") u32::MAX, in("edx") u32::MAX, options(nostack));
        } else {
            asm!(
                "2: fxrstor64 [{p}]",
                "mov {ok:e}, 1",
                "jmp 4f",
                "3: xor {ok:e}, {ok:e}",
                "4:",
                ".pushsection .ex_table, \"a\"",
                ".balign 8",
                ".quad 2b, 3b",
                ".popsection",
                p = in(reg) image, ok = out(reg) ok, options(nostack));
        }
    }
    ok != 0
}

impl Drop for Fpu {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.image.as_ptr(), LAYOUT) };
    }
}

/// Reads XCR0; the caller knows that CR4.OSXSAVE is set.
pub(super) fn xgetbv() -> u64 {
    let (lo, hi): (u32, u32);
    // SAFETY: reads a register.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") lo, out("edx") hi, options(nomem, nostack));
    }
    (hi as u64) << 32 | lo as u64
}

/// Writes XCR0; `false` when the processor refuses the value.
pub(super) fn xsetbv(value: u64) -> bool {
    let ok: u32;
    // SAFETY: a refused value faults and is caught; XCR0 affects the guest's state only.
    unsafe {
        asm!(
            "2: xsetbv",
            "mov {ok:e}, 1",
            "jmp 4f",
            "3: xor {ok:e}, {ok:e}",
            "4:",
            ".pushsection .ex_table, \"a\"",
            ".balign 8",
            ".quad 2b, 3b",
            ".popsection",
            ok = out(reg) ok,
            in("ecx") 0, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack));
    }
    ok != 0
}
