//! Processor time, as Linux counts it for each process.

/// Clock ticks of `/proc` in a second: the same on every Linux.
const TICKS: f64 = 100.0;

/// Seconds that a process has used.
pub fn of(process: u32) -> f64 {
    // User and system time are the 14th and 15th field of the line.
    seconds(process, 14)
}

/// Seconds that this process has used: in it runs the sink of our own, and little else.
pub fn own() -> f64 {
    of(std::process::id())
}

/// Seconds of programs that this one has started and that have ended.
pub fn ended() -> f64 {
    seconds(std::process::id(), 16)
}

fn seconds(process: u32, field: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The second field is a name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[field - 3..field - 1].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / TICKS
}
