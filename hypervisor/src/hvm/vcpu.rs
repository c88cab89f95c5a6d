//! A hardware-virtualised vCPU's state, which belongs to the CPU that runs it.

use super::mtrr::Mtrr;
use super::vlapic::Vlapic;
use super::walk::Access;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::cell::Cell;
use machine::hvm::{HvmApi, HvmState, Reg, Seg, Segment};
use machine::nested::{Nested, Reader};
use x86_emulate::Decoded;
use xen_abi::compat::Width;

/// Guest-physical page of a linear page of code, under one root table.
#[derive(Clone, Copy)]
pub struct CodePage {
    va: u64,
    cr3: u64,
    gpa: u64,
}

impl CodePage {
    const NONE: CodePage = CodePage {
        va: u64::MAX,
        cr3: 0,
        gpa: 0,
    };
}

/// The state.
pub struct HvmVcpu {
    /// Processor state.
    pub state: HvmState,
    /// Guest-physical memory as it looks it up.
    pub memory: Reader,
    /// Where the code that was looked at last is.
    pub code: Cell<CodePage>,
    /// The instruction that was emulated last.
    pub decoded: Decoded,
    /// Its local APIC.
    pub lapic: Vlapic,
    /// Its memory types.
    pub mtrr: Mtrr,
    /// The APIC may have something for the vCPU.
    pub look: bool,
    /// Its NMI handler runs.
    pub in_nmi: bool,
}

impl HvmVcpu {
    /// A vCPU that never ran. `None` when memory runs out.
    pub fn new(nested: Arc<Nested>, id: u32) -> Option<Box<HvmVcpu>> {
        let mut state = HvmState::new(nested.clone())?;
        state.fpu.xcr0 = 1;
        Some(Box::new(HvmVcpu {
            state,
            memory: Reader::new(nested),
            code: Cell::new(CodePage::NONE),
            decoded: Decoded::default(),
            lapic: Vlapic::new(super::mmio::apic_id(id), id == 0),
            mtrr: Mtrr::default(),
            look: false,
            in_nmi: false,
        }))
    }

    /// Starts it in flat 32-bit code without paging (`docs/misc/pvh`): at `entry`, with the
    /// address of the start-of-day structure in EBX.
    pub fn start_flat(&mut self, entry: u32, start_info: u64) {
        let s = &mut self.state;
        let flat = |attributes| Segment {
            selector: 0,
            attributes,
            limit: u32::MAX,
            base: 0,
        };
        s.set_segment(Seg::Cs, flat(0xc9b));
        for seg in [Seg::Ds, Seg::Es, Seg::Ss, Seg::Fs, Seg::Gs] {
            s.set_segment(seg, flat(0xc93));
        }
        let none = Segment::default();
        s.set_segment(Seg::Gdtr, none);
        s.set_segment(Seg::Idtr, none);
        s.set_segment(
            Seg::Ldtr,
            Segment {
                attributes: 0x82,
                ..none
            },
        );
        s.set_segment(
            Seg::Tr,
            Segment {
                attributes: 0x8b,
                limit: 0x67,
                ..none
            },
        );
        s.set(Reg::Cr0, 0x11);
        s.set(Reg::Cr4, 0);
        s.set(Reg::Efer, 0);
        s.regs.rip = entry.into();
        s.regs.rbx = start_info;
        s.regs.rflags = machine::regs::rflags::FIXED;
    }

    /// As after INIT and SIPI: in real mode at `page` (Intel SDM 3A, 8.4 and 9.1).
    pub fn start_real(&mut self, page: u8) {
        self.start_flat(0, 0);
        let s = &mut self.state;
        let real = |attributes| Segment {
            selector: 0,
            attributes,
            limit: 0xffff,
            base: 0,
        };
        for seg in [Seg::Ds, Seg::Es, Seg::Ss, Seg::Fs, Seg::Gs] {
            s.set_segment(seg, real(0x93));
        }
        let code = Segment {
            selector: u16::from(page) << 8,
            base: u64::from(page) << 12,
            ..real(0x9b)
        };
        s.set_segment(Seg::Cs, code);
        for table in [Seg::Gdtr, Seg::Idtr] {
            s.set_segment(table, real(0));
        }
        s.set(Reg::Cr0, 0x10);
        for reg in [Reg::Cr2, Reg::Cr3, Reg::Cr4] {
            s.set(reg, 0);
        }
        s.set_event(None);
        s.regs = machine::GuestRegs {
            rflags: machine::regs::rflags::FIXED,
            ..Default::default()
        };
        self.lapic.reset();
    }

    /// Whether the two bytes at `rip` are `code`, which the processor has just executed; `false`
    /// also when that cannot be told fast. Where the page is, is remembered, as a TLB would; a
    /// guest that has it elsewhere without another root table is asked for the bytes it had
    /// there before, and mostly told `false`.
    #[inline]
    pub fn runs(&self, rip: u64, rflags: u64, code: [u8; 2]) -> bool {
        let offset = rip & 0xfff;
        if offset == 0xfff {
            return false;
        }
        let (va, cr3) = (rip - offset, self.state.get(Reg::Cr3));
        let mut page = self.code.get();
        if page.va != va || page.cr3 != cr3 {
            let access = Access {
                exec: true,
                user: self.state.cpl() == 3,
                ..Access::default()
            };
            let Ok(gpa) = self.translate(va, rflags, access) else {
                return false;
            };
            page = CodePage { va, cr3, gpa };
            self.code.set(page);
        }
        let byte = |offset: u64| {
            let word = self.memory.read_word(page.gpa | offset)?;
            Some((word >> (8 * (offset & 7))) as u8)
        };
        let [first, second] = code;
        byte(offset) == Some(first) && byte(offset + 1) == Some(second)
    }

    /// Whether the code that runs may make hypercalls: a kernel's, which that in real mode is.
    #[inline(always)]
    pub fn may_call(&self) -> bool {
        self.state.cpl() == 0
    }

    /// The width of the code that runs.
    pub fn width(&self) -> Width {
        match self.is_64bit() {
            true => Width::W64,
            false => Width::W32,
        }
    }

    /// Whether the guest runs 64-bit code.
    #[inline(always)]
    pub fn is_64bit(&self) -> bool {
        self.state.get(Reg::Efer) & super::control::LMA != 0
            && self.state.segment(Seg::Cs).attributes & Segment::L != 0
    }
}
