//! The calling hardware-virtualised vCPU as the instruction emulator sees it.

use super::walk::Access;
use super::{control, copy, cpuid, io_rights, mmio, msr};
use crate::cx::Cx;
use crate::mem::p2m;
use crate::platform::ports;
use machine::hvm::{HvmApi, Reg, Seg};
use machine::{CpuApi, Gfn, PAGE_SIZE};
use x86_emulate::{Bits, Cpu, Decoded, Gpr, Privileged, Result, Segment, SegmentName, Size, Trap};

/// The vCPU.
pub struct Emulated<'a, 'b> {
    /// Its context.
    pub cx: &'a mut Cx<'b>,
    /// The guest-physical address of the one operand in memory, if the processor said it.
    pub known: Option<u64>,
}

impl<'a, 'b> Emulated<'a, 'b> {
    /// The vCPU of a context.
    pub fn new(cx: &'a mut Cx<'b>) -> Emulated<'a, 'b> {
        Emulated { cx, known: None }
    }
}

/// One access of IN or OUT between a port and RAX.
pub fn port(cx: &mut Cx, port: u16, bytes: u8, write: bool) {
    if write {
        let value = cx.cpu.regs().rax as u32;
        ports::write(cx.hv, cx.cpu, cx.dom, port, bytes, value);
        return;
    }
    let value = u64::from(ports::read(cx.hv, cx.cpu, cx.dom, port, bytes));
    let rax = &mut cx.cpu.regs_mut().rax;
    *rax = match bytes {
        1 => *rax & !0xff | value,
        2 => *rax & !0xffff | value,
        _ => value,
    };
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

    /// The guest-physical address of `va`, if the access lies in one page and not in RAM.
    fn device(&mut self, va: u64, size: Size, write: bool) -> Result<Option<u64>> {
        let one_page = (va & 0xfff) + size.bytes() <= PAGE_SIZE as u64;
        // Once: a string instruction goes on elsewhere.
        if let Some(gpa) = self.known.take()
            && one_page
            && (gpa ^ va) & 0xfff == 0
        {
            return Ok(Some(gpa));
        }
        let Some(hvm) = &self.cx.st.hvm else {
            return Err(Trap::GP);
        };
        let access = Access {
            write,
            exec: false,
            user: hvm.state.cpl() == 3,
        };
        let gpa = hvm.translate(va, self.cx.cpu.regs().rflags, access)?;
        let ram = hvm.memory.is_memory(Gfn(gpa >> 12));
        Ok((one_page && !ram).then_some(gpa))
    }

    fn hvm(&mut self) -> Result<&mut super::HvmVcpu> {
        self.cx.st.hvm.as_deref_mut().ok_or(Trap::GP)
    }
}

impl Cpu for Emulated<'_, '_> {
    fn bits(&self) -> Bits {
        let Some(hvm) = &self.cx.st.hvm else {
            return Bits::B64;
        };
        let protected = hvm.state.get(Reg::Cr0) & control::CR0_PE != 0;
        let wide = hvm.state.segment(Seg::Cs).attributes & machine::hvm::Segment::DB != 0;
        match (hvm.is_64bit(), protected && wide) {
            (true, _) => Bits::B64,
            (false, true) => Bits::B32,
            (false, false) => Bits::B16,
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
        self.cx.cpu.regs_mut().rflags = flags | machine::regs::rflags::FIXED;
    }

    fn segment(&mut self, name: SegmentName) -> Result<Segment> {
        let hvm = self.hvm()?;
        hvm.state.sync();
        let seg = hvm.state.segment(match name {
            SegmentName::Es => Seg::Es,
            SegmentName::Cs => Seg::Cs,
            SegmentName::Ss => Seg::Ss,
            SegmentName::Ds => Seg::Ds,
            SegmentName::Fs => Seg::Fs,
            SegmentName::Gs => Seg::Gs,
        });
        let code = seg.attributes & 8 != 0;
        let bit1 = seg.attributes & 2 != 0;
        Ok(Segment {
            base: seg.base,
            limit: seg.limit,
            readable: !code || bit1,
            writable: !code && bit1,
            expand_down: !code && seg.attributes & 4 != 0,
            big: seg.attributes & machine::hvm::Segment::DB != 0,
        })
    }

    fn fetch(&mut self, address: u64, code: &mut [u8]) -> Result<()> {
        copy::fetch(self.cx, address, code)
    }

    fn last(&mut self) -> Option<&mut Decoded> {
        Some(&mut self.cx.st.hvm.as_mut()?.decoded)
    }

    fn read(&mut self, address: u64, size: Size) -> Result<u64> {
        if let Some(gpa) = self.device(address, size, false)? {
            return Ok(mmio::read(self.cx, gpa, size.bytes()));
        }
        let mut bytes = [0u8; 8];
        let part = bytes.get_mut(..size.bytes() as usize).ok_or(Trap::GP)?;
        copy::read(self.cx, address, part)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(&mut self, address: u64, size: Size, value: u64) -> Result<()> {
        if let Some(gpa) = self.device(address, size, true)? {
            mmio::write(self.cx, gpa, size.bytes(), value);
            return Ok(());
        }
        let bytes = value.to_le_bytes();
        let part = bytes.get(..size.bytes() as usize).ok_or(Trap::GP)?;
        copy::write(self.cx, address, part)
    }

    fn compare_exchange(&mut self, address: u64, size: Size, old: u64, new: u64) -> Result<u64> {
        // Only a device's memory is met here, where nobody else writes.
        let now = self.read(address, size)? & size.mask();
        if now == old {
            self.write(address, size, new)?;
        }
        Ok(now)
    }
}

impl Privileged for Emulated<'_, '_> {
    fn is_kernel(&self) -> bool {
        self.cx.st.hvm.as_ref().is_some_and(|h| h.state.cpl() == 0)
    }

    fn read_cr(&mut self, index: u8) -> Result<u64> {
        let hvm = self.hvm()?;
        Ok(match index {
            0 => hvm.state.get(Reg::Cr0),
            2 => hvm.state.get(Reg::Cr2),
            3 => hvm.state.get(Reg::Cr3),
            4 => hvm.state.get(Reg::Cr4),
            8 => hvm.lapic.cr8().into(),
            _ => return Err(Trap::UD),
        })
    }

    fn write_cr(&mut self, index: u8, value: u64) -> Result<()> {
        let allowed = if index == 4 {
            control::cr4_of(self.cx.dom.cpu_policy(self.cx.hv))
        } else {
            0
        };
        let hvm = self.hvm()?;
        let done = match index {
            0 => hvm.set_cr0(value),
            2 => {
                hvm.state.set(Reg::Cr2, value);
                true
            }
            3 => {
                hvm.state.set(Reg::Cr3, value);
                hvm.state.flush();
                true
            }
            4 => hvm.set_cr4(value, allowed),
            8 if value < 16 => {
                hvm.lapic.set_cr8(value as u8);
                hvm.look = true;
                true
            }
            8 => false,
            _ => return Err(Trap::UD),
        };
        if done { Ok(()) } else { Err(Trap::GP) }
    }

    fn read_dr(&mut self, index: u8) -> Result<u64> {
        let hvm = self.hvm()?;
        match index {
            6 => Ok(hvm.state.get(Reg::Dr6)),
            7 => Ok(hvm.state.get(Reg::Dr7)),
            _ => Err(Trap::UD),
        }
    }

    fn write_dr(&mut self, _index: u8, _value: u64) -> Result<()> {
        // They do not exit.
        Err(Trap::UD)
    }

    fn read_msr(&mut self, index: u32) -> Result<u64> {
        msr::read(self.cx, index).ok_or(Trap::GP)
    }

    fn write_msr(&mut self, index: u32, value: u64) -> Result<()> {
        if msr::write(self.cx, index, value) {
            Ok(())
        } else {
            Err(Trap::GP)
        }
    }

    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> Result<[u32; 4]> {
        Ok(cpuid::leaf(self.cx, leaf, subleaf))
    }

    fn read_tsc(&mut self) -> Result<u64> {
        Ok(super::tsc(self.cx))
    }

    fn read_tsc_aux(&mut self) -> Result<u32> {
        match &self.cx.st.hvm {
            Some(hvm) if super::msr::has_tsc_aux(self.cx.dom.cpu_policy(self.cx.hv)) => {
                Ok(hvm.state.get(Reg::TscAux) as u32)
            }
            _ => Err(Trap::UD),
        }
    }

    fn read_xcr(&mut self, index: u32) -> Result<u64> {
        if index == 0 {
            Ok(self.cx.cpu.xcr0())
        } else {
            Err(Trap::GP)
        }
    }

    fn write_xcr(&mut self, index: u32, value: u64) -> Result<()> {
        if self.hvm()?.state.get(Reg::Cr4) & control::CR4_OSXSAVE == 0 {
            return Err(Trap::UD);
        }
        let states = self.cx.dom.cpu_policy(self.cx.hv).states();
        if index == 0 && value & !states == 0 && self.cx.cpu.set_xcr0(value) {
            Ok(())
        } else {
            Err(Trap::GP)
        }
    }

    fn check_port(&mut self, _port: u16, _size: Size) -> Result<()> {
        // The processor has looked before it left the guest.
        Ok(())
    }

    fn port_in(&mut self, port: u16, size: Size) -> Result<u32> {
        let bytes = size.bytes() as u8;
        if !io_rights::may(self.cx, port, bytes) {
            return Err(Trap::GP);
        }
        Ok(ports::read(
            self.cx.hv,
            self.cx.cpu,
            self.cx.dom,
            port,
            bytes,
        ))
    }

    fn port_out(&mut self, port: u16, size: Size, value: u32) -> Result<()> {
        let bytes = size.bytes() as u8;
        if !io_rights::may(self.cx, port, bytes) {
            return Err(Trap::GP);
        }
        ports::write(self.cx.hv, self.cx.cpu, self.cx.dom, port, bytes, value);
        Ok(())
    }

    fn set_interrupt_flag(&mut self, _on: bool) -> Result<()> {
        Err(Trap::GP)
    }

    fn flush_caches(&mut self, _invalidate: bool) -> Result<()> {
        if p2m::has_devices(self.cx.dom) {
            self.cx.cpu.wbinvd();
        }
        Ok(())
    }
}
