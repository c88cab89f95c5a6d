//! A hardware-virtualised vCPU's state, which belongs to the CPU that runs it.

use super::mtrr::Mtrr;
use super::vlapic::Vlapic;
use alloc::boxed::Box;
use alloc::sync::Arc;
use machine::hvm::{HvmApi, HvmState, Reg, Seg, Segment};
use machine::nested::Nested;

/// The state.
pub struct HvmVcpu {
    /// Processor state.
    pub state: HvmState,
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
        let mut state = HvmState::new(nested)?;
        state.fpu.xcr0 = 1;
        Some(Box::new(HvmVcpu {
            state,
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

    /// Whether the guest runs 64-bit code.
    #[inline(always)]
    pub fn is_64bit(&self) -> bool {
        self.state.get(Reg::Efer) & super::control::LMA != 0
            && self.state.segment(Seg::Cs).attributes & Segment::L != 0
    }
}
