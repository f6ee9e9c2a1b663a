//! Names to give to a verb: right ones, near misses, and what has broken other systems.

use raw::{Object, Target, slots};

use crate::{SLOTS, random::Random};

const EDGES: &[&str] = &[
    "",
    " ",
    "/",
    ".",
    "-",
    "unit/",
    "/unit",
    "unit ",
    " unit",
    "unit\n",
    "UNIT",
    "Units/0",
    "unit/0",
    "unit/unit",
    "units",
    "files",
    "units/99",
    "units/-1",
    "units/-0",
    "units/+0",
    "units/00",
    "units/0x0",
    "units/0/",
    "units/0/0",
    "units//0",
    "units/1e0",
    "units/0.0",
    "units/ 0",
    "units/٠",
    "units/𝟎",
    "units/4294967296",
    "units/18446744073709551616",
    "files/-9223372036854775808",
    "units/*",
    "units/[0]",
    "units[0]",
    "*",
    "?",
    "un?t",
    "{unit,file}",
    "unit,file",
];
const PATHS: &[&str] = &[
    "/etc/shadow",
    "/etc/passwd",
    "/proc/self/environ",
    "/proc/1/root/etc/shadow",
    "/dev/zero",
    "/root/.ssh/id_ed25519",
    "file:///etc/passwd",
    "../file",
    "../../../../etc/shadow",
    "files/../file",
    "file/../../etc/shadow",
    "./unit",
    "~/x",
    "~root/.ssh/id_ed25519",
    "$HOME/x",
    "file/etc/shadow",
    "C:\\x",
    "\\\\host\\share",
    "file%2f..%2f",
    "%2e%2e%2f",
    "CON",
];
const SHELL: &[&str] = &[
    "; id",
    "unit; id",
    "unit;id",
    "$(id)",
    "`id`",
    "| id",
    "& id",
    "&& id",
    "> /tmp/pwn",
    "< /etc/shadow",
    "${IFS}",
    "unit\nid",
    "unit\r\nid",
    "'",
    "\"",
    "\\",
    "'; id; '",
    "!!",
    "#",
    "(",
    "unit'$(touch /tmp/pwn)'",
    "\u{a0}",
    "%n%s",
    "-h",
    "--",
    "--help",
    "-H root@evil",
    "--property=x",
    "--root=/tmp",
    "-oProxyCommand=id",
    "=unit",
    "@file",
    "*.service",
];
const NULS: &[&str] = &["\0", "unit\0", "\0unit", "un\0it", "units/0\0", "file\0/etc/shadow", "unit\0\0\0\0"];
const UNICODE: &[&str] = &[
    "υnit",
    "ｕｎｉｔ",
    "unit\u{200b}",
    "\u{feff}unit",
    "u\u{301}nit",
    "\u{202e}tinu",
    "unit\u{e0041}",
    "units\u{2215}0",
    "units\u{ff0f}0",
    "ünit",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "ﬁle",
    "fıle",
    "fi\u{ad}le",
    "Ⅷ",
    "🦀",
];
/// Slots and parameters of other components, verbs, actions, targets, the names of this one.
const ELSEWHERE: &[&str] = &[
    "exporter",
    "config",
    "mark",
    "unit-file",
    "service",
    "stamp",
    "wanderer",
    "hostile",
    "behaviour",
    "seed",
    "calls",
    "warn-percent",
    "system.load",
    "services.status",
    "services.status:cron.service",
    "files.read:/etc/hostname",
    "services.status:unit",
    "bailiwick:ops/services@0.1.0",
    "fw01",
    "localhost",
    "db01",
    "nginx.service",
    "sshd.service",
];

/// All long keys of a run together; with the others it stays under 1 MiB.
const LONG_BYTES_MAX: usize = 960 << 10;

pub(crate) struct Keys {
    own: Vec<(Object, String)>,
    literals: Vec<String>,
    long_bytes: usize,
    bytes: usize,
}

impl Keys {
    pub(crate) fn new(target: &Target) -> Self {
        let mut keys = Keys { own: Vec::new(), literals: Vec::new(), long_bytes: 0, bytes: 0 };
        for (slot, object) in SLOTS {
            for entry in slots::entries(target, slot) {
                keys.own.push((*object, entry.key));
                keys.literals.push(entry.literal);
            }
        }
        keys
    }

    /// Whether the host itself gave the key, for an object of this kind.
    pub(crate) fn own(&self, object: Object, key: &str) -> bool {
        self.own.iter().any(|(kind, own)| *kind == object && own == key)
    }

    /// Bytes of all keys so far.
    pub(crate) fn bytes_spent(&self) -> usize {
        self.bytes
    }

    pub(crate) fn pick(&mut self, random: &mut Random) -> String {
        let key = match random.below(13) {
            0 | 1 => self.an_own(random),
            2 if !self.literals.is_empty() => self.literals[random.below(self.literals.len())].clone(),
            3 => random.choose(PATHS).to_owned(),
            4 => random.choose(SHELL).to_owned(),
            5 => random.choose(NULS).to_owned(),
            6 => random.choose(UNICODE).to_owned(),
            7 => random.choose(ELSEWHERE).to_owned(),
            8 | 9 => self.damaged(random),
            10 => self.long(random),
            11 => (0..random.below(40)).map(|_| random.character()).collect(),
            _ => random.choose(EDGES).to_owned(),
        };
        self.bytes += key.len();
        key
    }

    fn an_own(&self, random: &mut Random) -> String {
        match self.own.len() {
            0 => random.choose(EDGES).to_owned(),
            some => self.own[random.below(some)].1.clone(),
        }
    }

    /// An own key or a literal with up to three characters put in, taken out, changed or doubled.
    fn damaged(&self, random: &mut Random) -> String {
        let whole = if self.literals.is_empty() || random.below(3) > 0 {
            self.an_own(random)
        } else {
            self.literals[random.below(self.literals.len())].clone()
        };
        let mut characters: Vec<char> = whole.chars().collect();
        for _ in 0..=random.below(3) {
            let at = random.below(characters.len() + 1);
            match (random.below(4), characters.get(at).copied()) {
                (0, Some(_)) => drop(characters.remove(at)),
                (1, Some(_)) => characters[at] = random.character(),
                (2, Some(same)) => characters.insert(at, same),
                _ => characters.insert(at, random.character()),
            }
        }
        characters.into_iter().collect()
    }

    /// Up to 256 KiB, as long as there is a budget; 64 KiB-ish and powers of two are where buffers end.
    fn long(&mut self, random: &mut Random) -> String {
        let bytes = (1 << random.below(19)) + random.below(3);
        if self.long_bytes + bytes > LONG_BYTES_MAX {
            return random.choose(EDGES).to_owned();
        }
        let piece = random.choose(&["a", "/", "unit", "units/0", "../", "é", "\0", "9", "units/"]);
        let mut key = piece.repeat(bytes.div_ceil(piece.len()));
        // A digit sequence makes the longest number, a slot's name before it the longest index.
        if random.below(2) == 0 {
            key.insert_str(0, "units/");
        }
        self.long_bytes += key.len();
        key
    }
}
