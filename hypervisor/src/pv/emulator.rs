//! The calling PV vCPU as the instruction emulator sees it.

use super::GUEST_CS32;
use crate::cpu_policy::guest;
use crate::cx::Cx;
use crate::domain::DECODED;
use crate::fail::Fail;
use crate::mem::pte::{Pte, RW};
use crate::mem::{Write, update_va};
use machine::cpu::SegBase;
use machine::regs::rflags;
use machine::{CpuApi, Fault, PageType};
use x86_emulate::{Bits, Cpu, Decoded, Gpr, Privileged, Result, Segment, SegmentName, Size, Trap};
use xen_abi::Errno;

/// Page-fault error code bits.
const PF_PRESENT: u32 = 1;
const PF_WRITE: u32 = 2;
const PF_USER: u32 = 4;
const PF_FETCH: u32 = 16;

/// The vCPU.
pub struct Emulated<'a, 'b> {
    /// Its context.
    pub cx: &'a mut Cx<'b>,
}

/// Not an exception: the instruction was interrupted before it did anything, and the guest
/// executes it again.
pub const AGAIN: Trap = Trap {
    vector: u8::MAX,
    error: None,
    cr2: 0,
};

/// What a failure of the page tables' is to the guest: `trap`, unless it has only to come again.
fn failed(fail: Fail, trap: Trap) -> Trap {
    match fail {
        Fail::Restart => AGAIN,
        _ => trap,
    }
}

fn read_fault(fault: Fault) -> Trap {
    Trap::page_fault(fault.addr, PF_USER)
}

impl Emulated<'_, '_> {
    fn slot(&mut self, gpr: Gpr) -> &mut u64 {
        let r = self.cx.cpu.regs_mut();
        match gpr {
            Gpr::Rax => &mut r.rax,
            Gpr::Rcx => &mut r.rcx,
            Gpr::Rdx => &mut r.rdx,
            Gpr::Rbx => &mut r.rbx,
            Gpr::Rsp => &mut r.rsp,
            Gpr::Rbp => &mut r.rbp,
            Gpr::Rsi => &mut r.rsi,
            Gpr::Rdi => &mut r.rdi,
            Gpr::R8 => &mut r.r8,
            Gpr::R9 => &mut r.r9,
            Gpr::R10 => &mut r.r10,
            Gpr::R11 => &mut r.r11,
            Gpr::R12 => &mut r.r12,
            Gpr::R13 => &mut r.r13,
            Gpr::R14 => &mut r.r14,
            Gpr::R15 => &mut r.r15,
        }
    }

    /// Writes to a level 1 table that the guest sees read-only: validated like any update.
    fn table_write(&mut self, va: u64, new: u64, how: Write) -> core::result::Result<(), Fail> {
        let cx = &mut *self.cx;
        let root = cx.st.root.as_ref().ok_or(Errno::EFAULT)?;
        let mem = cx.hv.mem;
        let l1 = update_va::find_l1(mem, root, va).ok_or(Errno::EFAULT)?;
        let entry = mem
            .table_entry(l1, PageType::L1, (va >> 12) as usize & 511)
            .map(Pte)
            .filter(|pte| pte.present() && pte.0 & RW == 0)
            .ok_or(Errno::EFAULT)?;
        let table = mem
            .get_page(entry.mfn(), cx.dom.owner())
            .ok_or(Errno::EFAULT)?;
        let index = (va & 0xff8) as usize / 8;
        let owner = cx.dom.owner();
        cx.tables().set_l1(&table, index, Pte(new), how, owner)
    }

    fn store(&mut self, va: u64, size: Size, value: u64) -> Result<()> {
        let bytes = value.to_le_bytes();
        let len = size.bytes() as usize;
        let part = bytes.get(..len).unwrap_or(&bytes);
        let Err(fault) = self.cx.cpu.write_guest(va, part) else {
            return Ok(());
        };
        let fault = Trap::page_fault(fault.addr, PF_USER | PF_WRITE | PF_PRESENT);
        if va & 7 != 0 && (va & 7) + size.bytes() > 8 {
            return Err(fault);
        }
        // The whole entry is written at once, whatever part of it changes.
        let at = va & !7;
        let old: u64 = self.cx.cpu.get_guest(at).map_err(read_fault)?;
        let shift = (va & 7) * 8;
        let mask = size.mask() << shift;
        let new = old & !mask | value << shift & mask;
        self.table_write(at, new, Write::Plain)
            .map_err(|fail| failed(fail, fault))
    }
}

impl Cpu for Emulated<'_, '_> {
    fn bits(&self) -> Bits {
        if self.cx.cpu.regs().cs as u16 == GUEST_CS32 {
            Bits::B32
        } else {
            Bits::B64
        }
    }

    fn gpr(&self, gpr: Gpr) -> u64 {
        let r = self.cx.cpu.regs();
        match gpr {
            Gpr::Rax => r.rax,
            Gpr::Rcx => r.rcx,
            Gpr::Rdx => r.rdx,
            Gpr::Rbx => r.rbx,
            Gpr::Rsp => r.rsp,
            Gpr::Rbp => r.rbp,
            Gpr::Rsi => r.rsi,
            Gpr::Rdi => r.rdi,
            Gpr::R8 => r.r8,
            Gpr::R9 => r.r9,
            Gpr::R10 => r.r10,
            Gpr::R11 => r.r11,
            Gpr::R12 => r.r12,
            Gpr::R13 => r.r13,
            Gpr::R14 => r.r14,
            Gpr::R15 => r.r15,
        }
    }

    fn set_gpr(&mut self, gpr: Gpr, value: u64) {
        *self.slot(gpr) = value;
    }

    fn rip(&self) -> u64 {
        self.cx.cpu.regs().rip
    }

    fn set_rip(&mut self, rip: u64) {
        self.cx.cpu.regs_mut().rip = rip;
    }

    fn rflags(&self) -> u64 {
        self.cx.cpu.regs().rflags
    }

    fn set_rflags(&mut self, flags: u64) {
        self.cx.cpu.regs_mut().rflags = flags | rflags::IF | rflags::FIXED;
    }

    fn segment(&mut self, name: SegmentName) -> Result<Segment> {
        let base = match name {
            SegmentName::Fs => self.cx.cpu.seg_base(SegBase::Fs),
            SegmentName::Gs => self.cx.cpu.seg_base(SegBase::Gs),
            _ => 0,
        };
        Ok(Segment {
            base,
            limit: u32::MAX,
            readable: true,
            writable: !matches!(name, SegmentName::Cs),
            expand_down: false,
            big: true,
        })
    }

    fn fetch(&mut self, address: u64, code: &mut [u8]) -> Result<()> {
        self.cx
            .cpu
            .read_guest(address, code)
            .map_err(|fault| Trap::page_fault(fault.addr, PF_USER | PF_FETCH))
    }

    fn last(&mut self) -> Option<&mut Decoded> {
        let rip = self.cx.cpu.regs().rip as usize;
        // Two neighbours are hardly emulated in turn.
        self.cx.st.decoded.get_mut(rip / 4 % DECODED)
    }

    fn read(&mut self, address: u64, size: Size) -> Result<u64> {
        let mut bytes = [0u8; 8];
        let len = size.bytes() as usize;
        let part = bytes.get_mut(..len).ok_or(Trap::GP)?;
        self.cx.cpu.read_guest(address, part).map_err(read_fault)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(&mut self, address: u64, size: Size, value: u64) -> Result<()> {
        self.store(address, size, value)
    }

    fn compare_exchange(&mut self, address: u64, size: Size, old: u64, new: u64) -> Result<u64> {
        let fault = Trap::page_fault(address, PF_USER | PF_WRITE | PF_PRESENT);
        if size != Size::B8 || address & 7 != 0 {
            // Page-table entries are exchanged whole.
            let now = self.read(address, size)?;
            if now == old {
                self.store(address, size, new)?;
            }
            return Ok(now);
        }
        match self.table_write(address, new, Write::IfStill(Pte(old))) {
            Ok(()) => Ok(old),
            Err(Fail::Errno(Errno::EBUSY)) => self.read(address, size),
            Err(fail) => Err(failed(fail, fault)),
        }
    }
}

const CR4_TSD: u64 = 1 << 2;
/// Bits of CR4 that a guest has of its own.
pub const CR4_GUEST: u64 = CR4_TSD | 1 << 3 | 1 << 16 | 1 << 18;

impl Privileged for Emulated<'_, '_> {
    fn is_kernel(&self) -> bool {
        self.cx.st.kernel_mode
    }

    fn read_cr(&mut self, index: u8) -> Result<u64> {
        let st = &self.cx.st;
        match index {
            0 => {
                let (cr0, _) = self.cx.cpu.control_regs();
                Ok(cr0 & !8 | if st.pv.task_switched { 8 } else { 0 })
            }
            2 => {
                let area = self.cx.vcpu.info();
                let slot = area.and_then(|i| i.u64(xen_abi::shared_info::VCPU_INFO_CR2));
                Ok(slot.map_or(0, |slot| slot.load(core::sync::atomic::Ordering::Relaxed)))
            }
            3 => Ok(st.root.as_ref().map_or(0, |root| root.mfn().addr())),
            4 => {
                let (_, host) = self.cx.cpu.control_regs();
                // What the guest set of its own, and what of the host's it can notice.
                Ok(st.cr4 & CR4_GUEST | host & (1 << 5 | 1 << 9 | 1 << 10 | 1 << 16))
            }
            _ => Err(Trap::GP),
        }
    }

    fn write_cr(&mut self, index: u8, value: u64) -> Result<()> {
        match index {
            0 => {
                let (cr0, _) = self.cx.cpu.control_regs();
                if (cr0 ^ value) & !8 & 0xe005_003f != 0 {
                    crate::guest_log!(self.cx, Warning, "attempt to change CR0 to {value:#x}");
                    return Err(Trap::GP);
                }
                let on = value & 8 != 0;
                self.cx.st.pv.task_switched = on;
                self.cx.cpu.set_task_switched(on);
                Ok(())
            }
            2 => {
                let area = self.cx.vcpu.info();
                if let Some(slot) = area.and_then(|i| i.u64(xen_abi::shared_info::VCPU_INFO_CR2)) {
                    slot.store(value, core::sync::atomic::Ordering::Relaxed);
                }
                Ok(())
            }
            3 => {
                // As before any other page-table work: there is room for one operation's rest.
                let ready = self.cx.tables().finish_old();
                ready
                    .and_then(|()| crate::mem::mmuext::new_root(self.cx, value >> 12))
                    .map_err(|fail| failed(fail, Trap::GP))
            }
            4 => {
                self.cx.st.cr4 = value & CR4_GUEST;
                crate::time::trap_tsc(self.cx);
                Ok(())
            }
            _ => Err(Trap::GP),
        }
    }

    fn read_dr(&mut self, index: u8) -> Result<u64> {
        match super::debug::get_debugreg(self.cx, [index as u64]) {
            Ok(value) => Ok(value as u64),
            Err(_) => Err(Trap::UD),
        }
    }

    fn write_dr(&mut self, index: u8, value: u64) -> Result<()> {
        super::debug::set_debugreg(self.cx, [index as u64, value])
            .map(|_| ())
            .map_err(|_| Trap::GP)
    }

    fn read_msr(&mut self, index: u32) -> Result<u64> {
        super::msr::read(self.cx, index).ok_or(Trap::GP)
    }

    fn write_msr(&mut self, index: u32, value: u64) -> Result<()> {
        if super::msr::write(self.cx, index, value) {
            Ok(())
        } else {
            Err(Trap::GP)
        }
    }

    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> Result<[u32; 4]> {
        Ok(guest::cpuid(self.cx, leaf, subleaf))
    }

    fn read_tsc(&mut self) -> Result<u64> {
        // The guest's kernel may keep its users from reading it.
        if self.cx.st.cr4 & CR4_TSD != 0 && !self.cx.st.kernel_mode {
            return Err(Trap::GP);
        }
        Ok(crate::time::tsc::read(self.cx.cpu, self.cx.dom))
    }

    fn read_tsc_aux(&mut self) -> Result<u32> {
        Ok(0)
    }

    fn read_xcr(&mut self, index: u32) -> Result<u64> {
        if index == 0 {
            Ok(self.cx.cpu.xcr0())
        } else {
            Err(Trap::GP)
        }
    }

    fn write_xcr(&mut self, index: u32, value: u64) -> Result<()> {
        // x87, SSE, AVX and AVX-512; the processor refuses what it does not have.
        let known = super::xstate::COMPONENTS;
        if index == 0 && value & !known == 0 && self.cx.cpu.set_xcr0(value) {
            self.cx.st.xcr0_accum |= value;
            Ok(())
        } else {
            Err(Trap::GP)
        }
    }

    fn check_port(&mut self, port: u16, size: Size) -> Result<()> {
        if crate::platform::ports::guest_may(self.cx, port, size.bytes() as u8) {
            Ok(())
        } else {
            Err(Trap::GP)
        }
    }

    fn port_in(&mut self, port: u16, size: Size) -> Result<u32> {
        let bytes = size.bytes() as u8;
        self.check_port(port, size)?;
        Ok(crate::platform::ports::read(
            self.cx.hv,
            self.cx.cpu,
            self.cx.dom,
            port,
            bytes,
        ))
    }

    fn port_out(&mut self, port: u16, size: Size, value: u32) -> Result<()> {
        let bytes = size.bytes() as u8;
        self.check_port(port, size)?;
        crate::platform::ports::write(self.cx.hv, self.cx.cpu, self.cx.dom, port, bytes, value);
        Ok(())
    }

    fn set_interrupt_flag(&mut self, _on: bool) -> Result<()> {
        // As with ring 1's I/O privilege: the kernel may always, its users when IOPL is 3.
        let needed = if self.cx.st.kernel_mode { 1 } else { 3 };
        if self.cx.st.iopl >= needed {
            Ok(())
        } else {
            Err(Trap::GP)
        }
    }

    fn flush_caches(&mut self, _invalidate: bool) -> Result<()> {
        if self.cx.dom.privileged {
            self.cx.cpu.wbinvd();
        }
        Ok(())
    }
}
