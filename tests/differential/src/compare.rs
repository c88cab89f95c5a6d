//! Executes cases on both sides and compares.

use crate::Report;
use crate::case::{Case, FLAGS, gprs};
use crate::generate;
use crate::layout::{CODE, DATA, DATA_END};
use crate::model::{Model, PRESENT};
use crate::native::{End, Native};
use crate::random::Random;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register, RflagsBits};
use libc::user_regs_struct;
use nix::sys::signal::Signal;
use std::io;
use x86_emulate::{Bits, Outcome, Result, Trap, vector};

/// Differences that are told in words.
const TOLD: usize = 20;
/// Cases after which all of memory is compared, and not only what was written.
const WHOLE: u64 = 4096;
/// The code of signals that the system makes of a general protection or stack fault.
const SI_KERNEL: i32 = 0x80;
/// Cases that are made of one instruction, with other registers each.
const ATTEMPTS: u64 = 1 << 40;

/// Compares `count` instructions made up from `seed`, on processor `cpu` if there is one.
pub fn run(seed: u64, count: u64, cpu: usize) -> io::Result<Report> {
    let mut random = Random::new(seed);
    let native = Native::new()?;
    // Both on one processor: they take turns. It is only faster.
    let mut cpus = nix::sched::CpuSet::new();
    if cpus.set(cpu).is_ok() && nix::sched::sched_setaffinity(nix::unistd::gettid(), &cpus).is_ok()
    {
        let _ = native.pin(&cpus);
    }
    let mut model = Model::new(|| random.next());
    let mut report = Report::default();
    let mut forms = vec![0u64; 8192];
    native.write(DATA, &model.memory[(DATA - CODE) as usize..])?;
    for attempt in 1..ATTEMPTS {
        if report.executed >= count {
            break;
        }
        let case = generate::case(&mut random, &mut model);
        one(&case, &native, &mut model, &mut report, &mut forms)?;
        if attempt % WHOLE == 0 {
            whole(&native, &mut model, &mut report)?;
        }
    }
    whole(&native, &mut model, &mut report)?;
    for (code, count) in iced_x86::Code::values().zip(forms) {
        if count != 0 {
            report.forms.insert(format!("{code:?}"), count);
        }
    }
    Ok(report)
}

fn one(
    case: &Case,
    native: &Native,
    model: &mut Model,
    report: &mut Report,
    forms: &mut [u64],
) -> io::Result<()> {
    // What lies beyond the end of the code is not there.
    let len = case
        .code
        .len()
        .min((crate::layout::CODE_END - case.at) as usize);
    model
        .bytes(case.at, len as u64)
        .copy_from_slice(&case.code[..len]);
    native.write(case.at, &case.code[..len])?;
    let instruction = decode(case, &model.memory);
    if differs_by_maker(case, &instruction) {
        return Ok(());
    }
    let (result, entry) = model.run(case);
    if result == Ok(Outcome::Unhandled) {
        return Ok(());
    }
    let (end, regs) = native.run(case)?;
    // The emulator is asked for these only after general protection.
    if entry == "privileged" && end != End::Fault(Signal::SIGSEGV, SI_KERNEL) {
        return Ok(());
    }
    // Whether an undefined opcode is noticed before the end of the code is met.
    if instruction.is_invalid() && matches!(end, End::Fault(Signal::SIGILL, _)) {
        return Ok(());
    }
    report.executed += 1;
    *report.entries.entry(entry).or_default() += 1;
    if let Some(slot) = forms.get_mut(instruction.code() as usize) {
        *slot += 1;
    }
    if let Some(what) = differs(case, native, model, &instruction, (result, end, regs))? {
        tell(report, case, format!("{:?}: {what}", instruction.code()));
        // Go on from the same memory.
        native.write(DATA, &model.memory[(DATA - CODE) as usize..])?;
    } else if end != End::Done {
        report.faults += 1;
    }
    Ok(())
}

/// What processors of different makers do differently, or the system does for a process.
fn differs_by_maker(case: &Case, instruction: &Instruction) -> bool {
    // The system lets a process execute these, or does it for it.
    if matches!(
        instruction.mnemonic(),
        Mnemonic::Smsw | Mnemonic::Cpuid | Mnemonic::Rdtsc | Mnemonic::Rdtscp | Mnemonic::Xgetbv
    ) {
        return true;
    }
    if case.bits != Bits::B64 {
        // AMD's repeated moves from the stack segment fault as if from another.
        return instruction.memory_segment() == Register::SS
            && instruction.is_string_instruction()
            && (instruction.has_rep_prefix() || instruction.has_repne_prefix());
    }
    let without_bases = Case {
        bases: [0; 2],
        ..case.clone()
    };
    (0..instruction.op_count()).any(|index| {
        // Over the end of the address space, where the emulator refuses.
        generate::operand(case, instruction, index).is_some_and(|at| at > u64::MAX - 7)
            // AMD's also look at the address before a base is added to it.
            || generate::operand(&without_bases, instruction, index)
                .is_some_and(|at| !matches!(at >> 47, 0 | 0x1_ffff))
                && case.bases != [0; 2]
                && matches!(instruction.memory_segment(), Register::FS | Register::GS)
    })
}

fn tell(report: &mut Report, case: &Case, what: String) {
    report.differed += 1;
    if report.differences.len() < TOLD {
        report.differences.push(format!("{what}\n    {case:x?}"));
    }
}

fn decode(case: &Case, memory: &[u8]) -> Instruction {
    let bits = match case.bits {
        Bits::B16 => 16,
        Bits::B32 => 32,
        Bits::B64 => 64,
    };
    let code = &memory[(case.at - CODE) as usize..]
        [..16.min((crate::layout::CODE_END - case.at) as usize)];
    Decoder::with_ip(bits, code, case.rip(), DecoderOptions::NONE).decode()
}

/// Whether the system tells of the trap by this signal and code.
fn same_fault(trap: Trap, signal: Signal, code: i32) -> bool {
    match trap.vector {
        vector::GP => (signal, code) == (Signal::SIGSEGV, SI_KERNEL),
        vector::SS => (signal, code) == (Signal::SIGBUS, SI_KERNEL),
        vector::UD => signal == Signal::SIGILL,
        vector::PF => {
            // The first code says that nothing is mapped there.
            let mapped = trap.error.is_some_and(|error| error & PRESENT != 0);
            (signal, code) == (Signal::SIGSEGV, 1 + i32::from(mapped))
        }
        _ => false,
    }
}

fn differs(
    case: &Case,
    native: &Native,
    model: &Model,
    instruction: &Instruction,
    (result, end, regs): (Result, End, user_regs_struct),
) -> io::Result<Option<String>> {
    let same_end = match (result, end) {
        (Ok(_), End::Done) => true,
        (Err(trap), End::Fault(signal, code)) => same_fault(trap, signal, code),
        _ => false,
    };
    if !same_end {
        return Ok(Some(format!(
            "the emulator {result:x?}, the processor {end:x?}"
        )));
    }
    if model.rip != regs.rip {
        return Ok(Some(format!(
            "RIP {:#x}, the processor's {:#x}",
            model.rip, regs.rip
        )));
    }
    let width = if case.bits == Bits::B64 {
        u64::MAX
    } else {
        0xffff_ffff
    };
    for (number, (ours, theirs)) in model.gprs.iter().zip(gprs(&regs)).enumerate() {
        if ours & width != theirs & width {
            return Ok(Some(format!(
                "register {number}: {ours:#x}, the processor's {theirs:#x}"
            )));
        }
    }
    let flags = FLAGS & !undefined(instruction);
    if (model.rflags ^ regs.eflags) & flags != 0 {
        let (ours, theirs) = (model.rflags & flags, regs.eflags & flags);
        return Ok(Some(format!(
            "flags {ours:#x}, the processor's {theirs:#x}"
        )));
    }
    // What was written, and its neighbours.
    for &(at, len) in &model.written {
        let start = at.saturating_sub(16).max(DATA);
        let end = (at + len + 16).min(DATA_END);
        let mut theirs = [0; 48];
        let theirs = &mut theirs[..(end - start) as usize];
        native.read(start, theirs)?;
        let ours = &model.memory[(start - CODE) as usize..(end - CODE) as usize];
        if ours != theirs {
            return Ok(Some(format!(
                "memory at {start:#x}: {ours:02x?}, the processor's {theirs:02x?}"
            )));
        }
    }
    Ok(None)
}

/// Status flags that the instruction leaves undefined.
fn undefined(instruction: &Instruction) -> u64 {
    let bits = instruction.rflags_undefined();
    [
        (RflagsBits::CF, 0),
        (RflagsBits::PF, 2),
        (RflagsBits::AF, 4),
        (RflagsBits::ZF, 6),
        (RflagsBits::SF, 7),
        (RflagsBits::OF, 11),
    ]
    .iter()
    .filter(|(flag, _)| bits & flag != 0)
    .fold(0, |mask, (_, bit)| mask | 1 << bit)
}

/// Compares all of the data.
fn whole(native: &Native, model: &mut Model, report: &mut Report) -> io::Result<()> {
    let mut theirs = vec![0; (DATA_END - DATA) as usize];
    native.read(DATA, &mut theirs)?;
    let ours = &model.memory[(DATA - CODE) as usize..];
    if let Some(at) = ours.iter().zip(&theirs).position(|(a, b)| a != b) {
        report.differed += 1;
        report
            .differences
            .push(format!("memory at {:#x} changed unseen", DATA + at as u64));
        native.write(DATA, ours)?;
    }
    Ok(())
}
