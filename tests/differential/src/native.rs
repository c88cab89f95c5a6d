//! A process that executes single instructions on this machine's processor.
//!
//! It is a child that this one traces: what stands in [`crate::layout`] is mapped into it from a
//! file that both have, below all that it has of its own. So nothing that an instruction does
//! reaches the tester, and no unsafe code is needed. The child ends with its handle, or with the
//! tester.

use crate::case::Case;
use crate::layout::{CODE, CODE_END, DATA, DATA_END, Descriptor, Kind, LDT, PAGE, READ_ONLY};
use libc::user_regs_struct;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};

/// The page of the child's that holds a SYSCALL instruction.
const STUB: u64 = 0x7000_0000;
/// That instruction, with breakpoints behind it.
const SYSCALL: u64 = 0xcccc_cccc_cccc_050f;

/// How an instruction ended on the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was executed.
    Done,
    /// It faulted: the signal and its code. (The address is told in a form that safe code cannot
    /// read.)
    Fault(Signal, i32),
}

/// The traced child.
pub struct Native {
    child: Child,
    pid: Pid,
    memory: File,
    /// What all registers are that a case says nothing of.
    plain: user_regs_struct,
}

impl Native {
    /// Starts a child. Errors: those of the system, which may not allow tracing.
    pub fn new() -> io::Result<Native> {
        let memory = File::from(memfd_create("differential", MFdFlags::MFD_CLOEXEC)?);
        memory.set_len(DATA_END - CODE)?;
        let child = Command::new("sleep")
            .arg("1000000")
            .stdin(Stdio::from(memory.try_clone()?))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = Pid::from_raw(child.id() as i32);
        let mut native = Native {
            child,
            pid,
            memory,
            plain: user_regs_struct {
                r15: 0,
                r14: 0,
                r13: 0,
                r12: 0,
                rbp: 0,
                rbx: 0,
                r11: 0,
                r10: 0,
                r9: 0,
                r8: 0,
                rax: 0,
                rcx: 0,
                rdx: 0,
                rsi: 0,
                rdi: 0,
                orig_rax: 0,
                rip: 0,
                cs: 0,
                eflags: 0,
                rsp: 0,
                ss: 0,
                fs_base: 0,
                gs_base: 0,
                ds: 0,
                es: 0,
                fs: 0,
                gs: 0,
            },
        };
        native.furnish()?;
        Ok(native)
    }

    /// Maps what the instructions work on.
    fn furnish(&mut self) -> io::Result<()> {
        // Not `attach`: that would make a signal of an `exec` that has not come to its end yet.
        ptrace::seize(self.pid, Options::PTRACE_O_EXITKILL)?;
        ptrace::interrupt(self.pid)?;
        self.wait()?;
        self.plain = ptrace::getregs(self.pid)?;
        self.plain.orig_rax = u64::MAX;
        self.poke(self.plain.rip)?;
        let (anonymous, shared) = (
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            libc::MAP_SHARED | libc::MAP_FIXED,
        );
        let executed = libc::PROT_READ | libc::PROT_EXEC;
        let written = libc::PROT_READ | libc::PROT_WRITE;
        self.map(STUB, PAGE, executed, anonymous, None)?;
        self.poke(STUB)?;
        self.plain.rip = STUB;
        self.map(CODE, CODE_END - CODE, executed, shared, Some(0))?;
        self.map(DATA, READ_ONLY - DATA, written, shared, Some(DATA - CODE))?;
        self.map(
            READ_ONLY,
            DATA_END - READ_ONLY,
            libc::PROT_READ,
            shared,
            Some(READ_ONLY - CODE),
        )?;
        for (index, descriptor) in LDT.iter().enumerate() {
            self.write(DATA, &user_desc(index, descriptor))?;
            self.call(libc::SYS_modify_ldt, [0x11, DATA, 16, 0, 0, 0])?;
        }
        Ok(())
    }

    fn map(
        &self,
        at: u64,
        length: u64,
        protection: i32,
        flags: i32,
        offset: Option<u64>,
    ) -> io::Result<()> {
        // Its standard input is the file.
        let fd = if offset.is_some() { 0 } else { u64::MAX };
        let args = [
            at,
            length,
            protection as u64,
            flags as u64,
            fd,
            offset.unwrap_or(0),
        ];
        self.call(libc::SYS_mmap, args).map(|_| ())
    }

    /// Puts a SYSCALL instruction into the child's code.
    fn poke(&self, at: u64) -> io::Result<()> {
        let at = std::ptr::with_exposed_provenance_mut(at as usize);
        Ok(ptrace::write(self.pid, at, SYSCALL as i64)?)
    }

    /// Makes the child call the system.
    fn call(&self, nr: i64, args: [u64; 6]) -> io::Result<u64> {
        let [rdi, rsi, rdx, r10, r8, r9] = args;
        let regs = user_regs_struct {
            rax: nr as u64,
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            r9,
            ..self.plain
        };
        ptrace::setregs(self.pid, regs)?;
        ptrace::step(self.pid, None)?;
        let signal = self.wait()?;
        let regs = ptrace::getregs(self.pid)?;
        if signal != Signal::SIGTRAP || regs.rip != self.plain.rip + 2 {
            let what = format!("call {nr}: {signal} at {:#x}", regs.rip);
            return Err(Error::other(what));
        }
        let result = regs.rax as i64;
        if (-4095..0).contains(&result) {
            let what = Error::from_raw_os_error(-result as i32);
            return Err(Error::new(what.kind(), format!("call {nr}: {what}")));
        }
        Ok(result as u64)
    }

    fn wait(&self) -> io::Result<Signal> {
        match waitpid(self.pid, None)? {
            WaitStatus::Stopped(_, signal) | WaitStatus::PtraceEvent(_, signal, _) => Ok(signal),
            other => Err(Error::new(
                ErrorKind::BrokenPipe,
                format!("the traced process is gone: {other:?}"),
            )),
        }
    }

    /// Executes one instruction with the case's registers.
    pub fn run(&self, case: &Case) -> io::Result<(End, user_regs_struct)> {
        ptrace::setregs(self.pid, case.native(&self.plain))?;
        ptrace::step(self.pid, None)?;
        let signal = self.wait()?;
        let regs = ptrace::getregs(self.pid)?;
        let end = match signal {
            Signal::SIGTRAP => End::Done,
            other => {
                let info = ptrace::getsiginfo(self.pid)?;
                End::Fault(other, info.si_code)
            }
        };
        Ok((end, regs))
    }

    /// Writes to what is mapped at linear address `at`.
    pub fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.memory.write_all_at(bytes, at - CODE)
    }

    /// Reads what is mapped at linear address `at`.
    pub fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.memory.read_exact_at(bytes, at - CODE)
    }

    /// Keeps the child on one processor. Errors: those of the system.
    pub fn pin(&self, cpus: &nix::sched::CpuSet) -> io::Result<()> {
        Ok(nix::sched::sched_setaffinity(self.pid, cpus)?)
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A descriptor in the form that the system takes it.
fn user_desc(index: usize, descriptor: &Descriptor) -> [u8; 16] {
    let contents = match descriptor.kind {
        Kind::Data | Kind::ReadOnly => 0,
        Kind::Down => 1,
        Kind::Code => 2,
    };
    // Limits beyond 20 bits are in pages.
    let pages = descriptor.limit > 0xf_ffff;
    let limit = if pages {
        descriptor.limit >> 12
    } else {
        descriptor.limit
    };
    let flags = u32::from(descriptor.big)
        | contents << 1
        | u32::from(descriptor.kind == Kind::ReadOnly) << 3
        | u32::from(pages) << 4
        | 1 << 6;
    let mut bytes = [0; 16];
    for (to, word) in bytes
        .chunks_exact_mut(4)
        .zip([index as u32, descriptor.base, limit, flags])
    {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}
