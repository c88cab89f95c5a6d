//! What every call and every operation answers to arguments that make no sense, or almost none:
//! a line for each operation, with the answer to each of a fixed list of arguments. The lines
//! are the same on every boot, so those of two hypervisors can be compared.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod arguments;
mod families;

use arguments::{Arguments, PATTERNS};
use core::fmt::{self, Display};
use families::{FAMILIES, Family};
use guest_rt::hypercall::{self, HyperResult};
use guest_rt::{println, traps};

guest_rt::kernel!(main);

/// What an operation answered to each pattern.
struct Answers([Answer; PATTERNS]);

#[derive(Clone, Copy)]
enum Answer {
    Call(HyperResult),
    Trap(u64),
}

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Call(Ok(0)) => f.write_str("0"),
            // Values are the machine's: that there is one has to do.
            Answer::Call(Ok(_)) => f.write_str("+"),
            Answer::Call(Err(errno)) => write!(f, "-{errno}"),
            Answer::Trap(vector) => write!(f, "t{vector}"),
        }
    }
}

impl Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for answer in self.0 {
            write!(f, " {answer}")?;
        }
        Ok(())
    }
}

fn ask(family: &Family, op: u32, arguments: &Arguments) -> Answers {
    let mut answers = Answers([Answer::Trap(0); PATTERNS]);
    for (pattern, answer) in answers.0.iter_mut().enumerate() {
        let at = arguments.prepare(pattern, &family.head(op));
        let args = family.arguments(op, at);
        *answer = match traps::catch(|| hypercall::call(family.nr, args)) {
            Ok(result) => Answer::Call(result),
            Err(fault) => Answer::Trap(fault.vector),
        };
    }
    answers
}

fn main() {
    println!("GUEST-START pv-survey cases={}", FAMILIES.len());
    let arguments = Arguments::new();
    for family in FAMILIES {
        for (name, op) in family.operations {
            if family.leaves_out(*op) {
                continue;
            }
            let answers = ask(family, *op, &arguments);
            println!("SURVEY {}.{name}:{answers}", family.name);
        }
    }
    println!("GUEST-END passed={} failed=0", FAMILIES.len());
    hypercall::poweroff()
}
