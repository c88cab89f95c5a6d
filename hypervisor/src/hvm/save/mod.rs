//! A hardware-virtualised domain's state as a stream of records (`hvm/save.h`).
//!
//! The domain does not run meanwhile. A record is a descriptor and a structure; the stream begins
//! with a header and ends with an empty record. What comes from the tools was copied once and is
//! checked field by field before it is used; a record that is refused leaves those before it in
//! place, as in Xen.

mod cpu;
mod devices;

use crate::cx::Cx;
use crate::domain::{Domain, Vcpu, VcpuState};
use crate::fail::Fail;
use alloc::sync::Arc;
use alloc::vec::Vec;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::hvm::save::*;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of a record's descriptor.
const HEAD: usize = size_of::<HvmSaveDescriptor>();
/// Bytes of all records of a vCPU at most.
const VCPU_MOST: usize = 8 << 10;

/// A stream that is being written.
#[derive(Default)]
pub struct Stream(Vec<u8>);

impl Stream {
    /// Appends a record. Errors: `ENOMEM`.
    fn put(
        &mut self,
        code: u16,
        instance: u32,
        record: &(impl IntoBytes + Immutable + ?Sized),
    ) -> Result<(), Errno> {
        let bytes = record.as_bytes();
        let head = HvmSaveDescriptor {
            typecode: code,
            instance: instance as u16,
            length: bytes.len() as u32,
        };
        let more = HEAD + bytes.len();
        self.0.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// What is saved of each vCPU, in the stream's order.
const VCPU_RECORDS: [u16; 7] = [
    HVM_SAVE_CODE_CPU,
    HVM_SAVE_CODE_LAPIC,
    HVM_SAVE_CODE_LAPIC_REGS,
    HVM_SAVE_CODE_MTRR,
    HVM_SAVE_CODE_CPU_XSAVE,
    HVM_SAVE_CODE_VMCE_VCPU,
    HVM_SAVE_CODE_TSC_ADJUST,
];

/// Runs `f` while the domain, which is not the caller's, does not run. Errors: `Restart` when it
/// did not stop in time; those of `f`.
pub fn paused<R>(
    cx: &mut Cx,
    dom: &Domain,
    f: impl FnOnce(&mut Cx) -> Result<R, Fail>,
) -> Result<R, Fail> {
    dom.pause(cx.hv, cx.cpu);
    let result = if dom.wait_quiescent(cx.cpu) {
        f(cx)
    } else {
        Err(Fail::Restart)
    };
    dom.unpause(cx.hv, cx.cpu);
    result
}

/// The state of a vCPU of a paused domain. Errors: `Restart` while another tool looks at it.
fn lease(vcpu: &Vcpu) -> Result<machine::Guard<'_, VcpuState>, Fail> {
    vcpu.state.try_lock().ok_or(Fail::Restart)
}

/// Bytes that a stream of the domain takes at most.
pub fn most(dom: &Domain) -> u32 {
    let vcpus = u32::try_from(dom.vcpus.len()).unwrap_or(u32::MAX);
    let all = vcpus.saturating_mul(VCPU_MOST as u32);
    all.saturating_add((3 * HEAD + size_of::<HvmSaveHeader>()) as u32)
}

/// The whole state. Errors: `ENOMEM`, `Restart`.
pub fn save(cx: &mut Cx, dom: &Domain) -> Result<Vec<u8>, Fail> {
    let mut stream = Stream::default();
    stream.put(HVM_SAVE_CODE_HEADER, 0, &header(cx))?;
    for code in VCPU_RECORDS {
        for vcpu in dom.all_vcpus() {
            save_vcpu(cx, dom, vcpu, code, &mut stream)?;
        }
    }
    stream.put(HVM_SAVE_CODE_END, 0, &[0u8; 0])?;
    Ok(stream.0)
}

/// One record, without its descriptor. Errors: `EINVAL` for a kind that there is not; `ENOENT`
/// without such an instance; `ENOMEM`, `Restart`.
pub fn save_one(cx: &mut Cx, dom: &Domain, code: u32, instance: u32) -> Result<Vec<u8>, Fail> {
    let code = u16::try_from(code).map_err(|_| Errno::EINVAL)?;
    let mut stream = Stream::default();
    if code == HVM_SAVE_CODE_HEADER {
        stream.put(code, 0, &header(cx))?;
    } else if VCPU_RECORDS.contains(&code) {
        let vcpu = dom.vcpu(instance).ok_or(Errno::ENOENT)?;
        save_vcpu(cx, dom, vcpu, code, &mut stream)?;
    } else {
        return Err(Errno::EINVAL.into());
    }
    if stream.0.len() < HEAD {
        return Err(Errno::ENOENT.into());
    }
    stream.0.drain(..HEAD);
    Ok(stream.0)
}

fn header(cx: &Cx) -> HvmSaveHeader {
    let (_, _, khz) = cx.cpu.tsc_scale();
    HvmSaveHeader {
        magic: HVM_FILE_MAGIC,
        version: HVM_FILE_VERSION,
        changeset: u64::MAX,
        cpuid: cx.cpu.cpuid(1, 0)[0],
        gtsc_khz: khz as u32,
    }
}

/// Appends a vCPU's record of one kind, if it has one.
fn save_vcpu(
    cx: &mut Cx,
    dom: &Domain,
    vcpu: &Vcpu,
    code: u16,
    stream: &mut Stream,
) -> Result<(), Fail> {
    let now = cx.cpu.now();
    let mut state = lease(vcpu)?;
    let vmce = state.vmce;
    let accumulated = state.xcr0_accum;
    let hvm = state.hvm.as_mut().ok_or(Errno::EINVAL)?;
    match code {
        // Of one that is down nothing is to be taken up again.
        HVM_SAVE_CODE_CPU if !vcpu.sched.online() => {}
        HVM_SAVE_CODE_CPU => {
            stream.put(code, vcpu.id, &cpu::save(cx.cpu, dom, vcpu, hvm))?;
        }
        HVM_SAVE_CODE_CPU_XSAVE => {
            let policy = dom.chosen_cpu_policy(cx.hv);
            if let Some(record) = cpu::save_xstate(cx.cpu, hvm, &policy, accumulated)? {
                stream.put(code, vcpu.id, record.as_slice())?;
            }
        }
        HVM_SAVE_CODE_LAPIC => stream.put(code, vcpu.id, &hvm.lapic.save(now).0)?,
        HVM_SAVE_CODE_LAPIC_REGS => stream.put(code, vcpu.id, &hvm.lapic.save(now).1)?,
        HVM_SAVE_CODE_MTRR => stream.put(code, vcpu.id, &devices::save_mtrr(hvm))?,
        HVM_SAVE_CODE_VMCE_VCPU => stream.put(code, vcpu.id, &vmce)?,
        HVM_SAVE_CODE_TSC_ADJUST => stream.put(code, vcpu.id, &HvmTscAdjust::default())?,
        _ => {}
    }
    Ok(())
}

/// Takes a stream over. Errors: `EINVAL` for a record that is malformed, or of something that there
/// is not; `ENODATA` when the stream ends before its last record; `Restart`.
pub fn load(cx: &mut Cx, dom: &Arc<Domain>, bytes: &[u8]) -> Result<(), Fail> {
    // What a dying domain's vCPUs have is given back once.
    let mut rest = bytes;
    let mut first = true;
    loop {
        let (head, after) =
            HvmSaveDescriptor::read_from_prefix(rest).map_err(|_| Errno::ENODATA)?;
        let record = after.get(..head.length as usize).ok_or(Errno::ENODATA)?;
        rest = after.get(head.length as usize..).unwrap_or_default();
        match (first, head.typecode) {
            (true, HVM_SAVE_CODE_HEADER) => check_header(record)?,
            (true, _) | (_, HVM_SAVE_CODE_HEADER) => return Err(Errno::EINVAL.into()),
            (_, HVM_SAVE_CODE_END) => return Ok(()),
            (_, code) => {
                let vcpu = dom.vcpu(head.instance.into()).ok_or(Errno::EINVAL)?;
                load_vcpu(cx, dom, vcpu, code, record)?;
            }
        }
        first = false;
    }
}

/// Errors: `EINVAL` for what is no stream of this form.
fn check_header(record: &[u8]) -> Result<(), Errno> {
    let header: HvmSaveHeader = exactly(record)?;
    if header.magic != HVM_FILE_MAGIC || header.version != HVM_FILE_VERSION {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// A structure of exactly these bytes. Errors: `EINVAL`.
fn exactly<T: FromBytes>(record: &[u8]) -> Result<T, Errno> {
    T::read_from_bytes(record).map_err(|_| Errno::EINVAL)
}

fn load_vcpu(
    cx: &mut Cx,
    dom: &Arc<Domain>,
    vcpu: &Arc<Vcpu>,
    code: u16,
    record: &[u8],
) -> Result<(), Fail> {
    let mut state = lease(vcpu)?;
    // Asked under the lock of the state.
    if dom.dying.load(core::sync::atomic::Ordering::SeqCst) {
        return Err(Errno::ESRCH.into());
    }
    let policy = dom.chosen_cpu_policy(cx.hv);
    match code {
        HVM_SAVE_CODE_CPU => {
            let hvm = state.hvm.as_mut().ok_or(Errno::EINVAL)?;
            cpu::load(cx.cpu, vcpu, hvm, &policy, &exactly(record)?)?;
            state.initialised = true;
            drop(state);
            cpu::bring_up(cx, dom, vcpu);
        }
        HVM_SAVE_CODE_CPU_XSAVE => cpu::load_xstate(cx.cpu, &mut state, &policy, record)?,
        HVM_SAVE_CODE_LAPIC | HVM_SAVE_CODE_LAPIC_REGS => {
            let hvm = state.hvm.as_mut().ok_or(Errno::EINVAL)?;
            devices::load_lapic(cx, vcpu, hvm, code, record)?;
        }
        HVM_SAVE_CODE_MTRR => {
            let hvm = state.hvm.as_mut().ok_or(Errno::EINVAL)?;
            devices::load_mtrr(hvm, &policy, &exactly(record)?)?;
        }
        HVM_SAVE_CODE_VMCE_VCPU => state.vmce = devices::vmce(&exactly(record)?)?,
        HVM_SAVE_CODE_TSC_ADJUST => {
            // There is no such register, so it can only be zero.
            let HvmTscAdjust { tsc_adjust: 0 } = exactly(record)? else {
                return Err(Errno::EINVAL.into());
            };
        }
        HVM_SAVE_CODE_CPU_MSR => devices::check_msrs(record)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(())
}
