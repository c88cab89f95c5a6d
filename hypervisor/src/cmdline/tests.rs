//! The syntax as users write it.

use super::*;
use alloc::string::ToString;
use alloc::vec;

/// Options of a line that gives no warning.
fn good(line: &str) -> Options {
    let (options, warnings) = parse(line);
    assert_eq!(warnings, [], "{line}");
    options
}

/// The one warning of a line, as the console shows it.
fn complaint(line: &str) -> String {
    let (_, warnings) = parse(line);
    assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
    warnings[0].to_string()
}

const fn bytes(bytes: u64) -> Option<Amount> {
    Some(Amount {
        bytes,
        percent: 0,
        negative: false,
    })
}

#[test]
fn a_usual_line() {
    let line =
        "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all dom0_mem=1G,max:1G noreboot";
    let options = good(line);
    assert_eq!(options.line, line);
    assert_eq!(
        options.console,
        Consoles {
            com1: true,
            com2: false,
            vga: false
        }
    );
    assert_eq!(
        options.com1.map(|s| (s.baud, s.data_bits, s.stop_bits)),
        Some((Some(115_200), 8, 1))
    );
    assert_eq!(
        options.loglvl,
        LogLimits {
            always: Level::Debug,
            limited: Level::Debug
        }
    );
    assert_eq!(
        options.dom0_mem,
        Dom0Mem {
            initial: bytes(1 << 30),
            min: None,
            max: bytes(1 << 30)
        }
    );
    assert!(options.noreboot);
}

#[test]
fn an_empty_line_is_the_default() {
    assert_eq!(good(""), Options::default());
    assert_eq!(
        good("  \t placeholder "),
        Options {
            line: "  \t placeholder ".into(),
            ..Options::default()
        }
    );
}

#[test]
fn memory_amounts() {
    let mem = |text: &str| good(&alloc::format!("dom0_mem={text}")).dom0_mem;
    assert_eq!(mem("4096").initial, bytes(4 << 20));
    assert_eq!(mem("4096b").initial, bytes(4096));
    assert_eq!(mem("0x10M").initial, bytes(16 << 20));
    assert_eq!(
        mem("min:1m,max:2T"),
        Dom0Mem {
            initial: None,
            min: bytes(1 << 20),
            max: bytes(2 << 40)
        }
    );
    assert_eq!(
        mem("-256M").initial.map(|a| a.resolve(1 << 30)),
        Some(768 << 20)
    );
    assert_eq!(
        mem("25%").initial.map(|a| a.resolve(1 << 30)),
        Some(256 << 20)
    );
    assert_eq!(
        mem("1G+10%").initial.map(|a| a.resolve(10 << 30)),
        Some(2 << 30)
    );
    assert_eq!(mem("2G").initial.map(|a| a.resolve(1 << 30)), Some(1 << 30));
    assert_eq!(mem("-2G").initial.map(|a| a.resolve(1 << 30)), Some(0));
}

#[test]
fn malformed_memory_is_reported_and_changes_nothing() {
    for text in [
        "",
        "x",
        "1G,",
        "1Gb",
        "max:",
        "101%",
        "1G+",
        "99999999999T",
        "--1G",
        "1G 5",
    ] {
        let (options, warnings) = parse(&alloc::format!("dom0_mem={text}"));
        assert!(!warnings.is_empty(), "{text}");
        if text != "1G 5" {
            assert_eq!(options.dom0_mem, Dom0Mem::default(), "{text}");
        }
    }
}

#[test]
fn vcpu_ranges() {
    let vcpus = |text: &str| good(&alloc::format!("dom0_max_vcpus={text}")).dom0_max_vcpus;
    assert_eq!(vcpus("4"), VcpuRange { min: 4, max: 4 });
    assert_eq!(vcpus("2-8"), VcpuRange { min: 2, max: 8 });
    assert_eq!(
        vcpus("2-"),
        VcpuRange {
            min: 2,
            max: u32::MAX
        }
    );
    assert_eq!(vcpus("-8").resolve(64), 8);
    assert_eq!(VcpuRange::default().resolve(3), 3);
    for text in ["0", "3-2", "x", "1-2-3", "4294967296"] {
        assert!(complaint(&alloc::format!("dom0_max_vcpus={text}")).contains("dom0_max_vcpus"));
    }
}

#[test]
fn booleans() {
    for on in [
        "noreboot",
        "noreboot=yes",
        "noreboot=1",
        "noreboot=on",
        "noreboot=true",
        "no-noreboot=off",
    ] {
        assert!(good(on).noreboot, "{on}");
    }
    for off in [
        "no-noreboot",
        "noreboot=no",
        "noreboot=0",
        "noreboot=disable",
        "noreboot noreboot=off",
    ] {
        assert!(!good(off).noreboot, "{off}");
    }
    assert!(!good("no-smep").smep);
    assert_eq!(good("nosmp").maxcpus, Some(1));
    assert_eq!(good("maxcpus=0").maxcpus, Some(1));
    assert_eq!(good("maxcpus=8").maxcpus, Some(8));
}

#[test]
fn serial_lines() {
    let com = |text: &str| good(&alloc::format!("com2={text}")).com2.unwrap();
    assert_eq!(com("auto").baud, None);
    assert_eq!(
        (com("9600,7e2").parity, com("9600,7e2").stop_bits),
        (Parity::Even, 2)
    );
    let full = com("115200/1843200,8n1,0x2f8,3");
    assert_eq!(
        (full.clock, full.io_base, full.irq),
        (Some(115_200), Some(0x2f8), Some(3))
    );
    assert_eq!(com("57600,,0xfe030000").io_base, Some(0xfe03_0000));
    for text in [
        "fast",
        "0",
        "9600,9n1",
        "9600,8n1,pci",
        "9600,8n1,1,2,3",
        "9600,8n",
    ] {
        assert!(complaint(&alloc::format!("com1={text}")).contains("com1"));
    }
}

#[test]
fn log_levels() {
    let limits = good("guest_loglvl=error/info").guest_loglvl;
    assert_eq!(
        limits,
        LogLimits {
            always: Level::Error,
            limited: Level::Info
        }
    );
    assert_eq!(
        good("loglvl=none").loglvl,
        LogLimits {
            always: Level::None,
            limited: Level::None
        }
    );
    assert!(
        complaint("loglvl=loud").starts_with("parameter \"loglvl\" has invalid value \"loud\"")
    );
}

#[test]
fn consoles() {
    assert_eq!(
        good("console=none").console,
        Consoles {
            com1: false,
            com2: false,
            vga: false
        }
    );
    let (options, warnings) = parse("console=com3");
    assert_eq!((options.console, warnings.len()), (Consoles::default(), 1));
    let (options, warnings) = parse("console=vga,com3");
    assert_eq!(
        (options.console.vga, options.console.com1, warnings.len()),
        (true, false, 1)
    );
    assert_eq!(
        good("conswitch=bx").conswitch,
        Switch {
            key: Some(b'b'),
            starts_here: true
        }
    );
    assert_eq!(good("conswitch=0").conswitch.key, None);
}

#[test]
fn mitigations() {
    assert_eq!(
        good("xpti=dom0=false,domu").xpti,
        Xpti {
            dom0: Some(false),
            domu: Some(true)
        }
    );
    assert_eq!(
        good("no-xpti").xpti,
        Xpti {
            dom0: Some(false),
            domu: Some(false)
        }
    );
    assert_eq!(good("spec-ctrl=no").spec_ctrl.thunk, Some(Thunk::Jmp));
    assert_eq!(good("spec-ctrl=no-xen").spec_ctrl.ibrs, Some(false));
    let spec = good("spec-ctrl=no-ibrs,ibpb=on,bti-thunk=retpoline").spec_ctrl;
    assert_eq!(
        (spec.ibrs, spec.ibpb, spec.thunk),
        (Some(false), Some(true), Some(Thunk::Retpoline))
    );
    assert!(complaint("spec-ctrl=hope").contains("hope"));
}

#[test]
fn rebooting() {
    assert_eq!(
        good("reboot=acpi,warm").reboot,
        Reboot {
            method: Some(Method::Acpi),
            warm: true
        }
    );
    assert_eq!(good("reboot=Power").reboot.method, Some(Method::Power));
    assert!(complaint("reboot=x").contains("expected"));
}

#[test]
fn unknown_and_ignored_options_are_named() {
    assert_eq!(
        complaint("frobnicate=1"),
        "parameter \"frobnicate\" unknown!"
    );
    assert_eq!(
        complaint("no-frobnicate"),
        "parameter \"no-frobnicate\" unknown!"
    );
    assert!(complaint("edd=off").starts_with("parameter \"edd\" has no effect: "));
    assert!(complaint("no-real-mode").starts_with("parameter \"no-real-mode\" has no effect: "));
    assert_eq!(good("dom0=pvh").dom0_mode, Dom0Mode::Pvh);
    let (_, warnings) = parse("a=b =c ,");
    assert_eq!(warnings.len(), 3);
}

#[test]
fn the_rest_is_for_dom0() {
    let options = good("noreboot -- quiet nosmp");
    assert_eq!(
        (options.dom0_extra.as_str(), options.maxcpus),
        ("quiet nosmp", None)
    );
}

#[test]
fn image_names_go() {
    assert_eq!(without_image_name(" target/xenios  a b ", "qemu"), "a b");
    assert_eq!(without_image_name("target/xenios", "qemu"), "");
    assert_eq!(without_image_name("a b", "GRUB 2.12"), "a b");
}

#[test]
fn no_name_stands_twice_in_the_table() {
    let mut names: Vec<_> = STATUS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), STATUS.len());
}

#[test]
fn hostile_lines_do_not_panic() {
    let pieces = [
        "=",
        ",",
        "-",
        "/",
        "%",
        "+",
        "é",
        "0x",
        "no-",
        "max:",
        "99999999999999999999",
        "\0",
    ];
    for (name, _) in STATUS {
        for a in pieces {
            for b in pieces {
                let _ = parse(&alloc::format!("{name}={a}{b} {name}{a}{b} {a}{name}{b}"));
            }
        }
    }
    let _ = vec![parse(" -- "), parse("--"), parse(" --  -- ")];
}
