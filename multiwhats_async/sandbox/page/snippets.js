// A message as a program that sends it again: Python and curl. Pure functions.

/** Characters that hide or turn what one reads are written as escapes. */
const HIDDEN = /[\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const escaped = (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A string literal that is the same in JSON and in Python. */
const literal = (text) => JSON.stringify(text).replace(HIDDEN, escaped);

/** A text as literals of a usual length, one a line, which Python joins. */
function lines(text, indent) {
  const parts = (text.match(/[^\n]*\n|[^\n]+$/g) ?? [""]).flatMap(
    (line) => line.match(/.{1,40}(?:\s+|$)|.{1,40}/gsu) ?? [line],
  );
  return parts.map((part) => indent + literal(part)).join("\n");
}

export function asPython({ from, to, text, buttons, advice }) {
  return `import anyio

from multiwhats_async import AsyncMultiWhats


async def main() -> None:
    client = AsyncMultiWhats(sender=${literal(from)})
    async with client:
        receipt = await client.send_button_message(
            ${literal(to)},
${lines(text, "            ")},
            [${buttons.map(literal).join(", ")}],${advice.length ? "\n            limits=None,  # it passes WhatsApp's own limits" : ""}
        )
        print(receipt.id, receipt.status)


anyio.run(main)
`;
}

export function asCurl({ from, to, text, buttons }) {
  const body = JSON.stringify({ from, to, message: text, type: "button", buttons }, null, 2).replace(
    HIDDEN,
    escaped,
  );
  return `curl "\${MULTIWHATS_BASE_URL%/}/basic/whatsapp/send-dynamic?apikey=$MULTIWHATS_API_KEY" \\
  -H 'Content-Type: application/json' \\
  --data-raw '${body.replaceAll("'", "'\\''")}'
`;
}

/** The lines that point a program at this sandbox. */
export const exportLine = (name, value) =>
  `export ${name}=${/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}`;

export const FIRST_SEND = `import anyio
from multiwhats_async import AsyncMultiWhats

async def main():
    client = AsyncMultiWhats(sender="908503080335")
    async with client:
        await client.send_button_message(
            "905374937766", "Hi 👤", ["👍 Yes", "⛔ No"]
        )

anyio.run(main)
`;
