"""Names that strangers give their files: every script, and what shells, URIs and formats take for more than a name."""

from __future__ import annotations

from benchmarks.fuzz.mutations import Dice

PLAIN = (
    *(
        "a",
        "portrait 1",
        "ÄÖÜß",
        "Ελένη",
        "Анна",
        "שלום",
        "مرحبا",
        "हिन्दी",
        "ไทย",
        "中文",
        "日本語",
        "한국어",
        "ქართული",
    ),
    *("አማርኛ", "தமிழ்", "emoji 😀👩‍👩‍👧", "e\u0301 combining", "\u202eright to left", "zero\u200bwidth", "\ufeffmark"),
    *(
        "-rf",
        "--help",
        "a;touch CANARY",
        "$(touch CANARY)",
        "`touch CANARY`",
        "a|b",
        "a&b",
        "a>b",
        "%s%n%d",
        "100%",
        "%41",
    ),
    *("it's", 'say "x"', "back\\slash", "tab\there", "line\nbreak", " leading", "trailing ", "dots...", "a,b;c", "a=b"),
    *(
        "[a-z]*?",
        "{a,b}",
        "~",
        "~root",
        "#",
        "?x=1",
        "http:",
        "file:",
        "concat:a|b",
        "pipe:1",
        "data:,x",
        "zip::x",
        "NUL",
        "%00",
    ),
    *(
        "\x7f",
        "\x1b[31mred",
        "x" * 200,
        "\u00e9" * 100,
        "@",
        "a@b",
        "C:",
        "..a",
        "a..",
        "…",
        "\u2028",
        "\ud83d\udc00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ),
)


def name(dice: Dice, suffix: str) -> str:
    """Return a file's name with an ending; mostly an ordinary one."""
    return (dice.of(PLAIN) if dice.chance(0.3) else "input") + suffix


ELSEWHERE = (
    *(
        "/etc/passwd",
        "../../../../../../etc/passwd",
        "file:///etc/shadow",
        "file:///proc/self/environ",
        "/proc/self/mem",
    ),
    *(
        "/dev/zero",
        "/dev/stdin",
        "/dev/random",
        "file://localhost/etc/hosts",
        "file:/etc/hosts",
        "file:///%2e%2e/etc/passwd",
    ),
    *(
        "http://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1:1/x.jpg",
        "ftp://h/x.mp4",
        "zip://a.jpg::file:///etc/x.zip",
    ),
    *(
        "simplecache::s3://b/k.png",
        "file:///a%00b.jpg",
        "a\0b.jpg",
        "memory://x/y.jpg",
        "github://a:b@/c.png",
        "sftp://h/a.jpg",
    ),
    *(
        "s3://user:secret@bucket/k.jpg",
        "data:image/png;base64,AAAA",
        "javascript:alert(1).jpg",
        "x" * 5000,
        "/" * 300 + "a.jpg",
    ),
    *(
        "|touch CANARY|.jpg",
        "$(touch CANARY).jpg",
        "~nobody/../x.jpg",
        "file:///\udc80.jpg".encode("utf-8", "replace").decode(),
    ),
    *(
        ".",
        "..",
        "/",
        "",
        " ",
        "\t",
        "file://",
        "file:///",
        "s3://",
        "://",
        "reference://x",
        "git://h/a",
        "dask://x",
        "jar://a::b",
    ),
)
"""Places that a manifest may name and that no job should reach, or need not find."""
