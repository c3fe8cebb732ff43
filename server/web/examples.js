// Texts to start from: [name on the button, text].

const RAMBLING = "The first chapter is slow, the second is slower, and I nearly gave the book away; but then the storm " +
  "comes, the house stands dark, the sisters begin to talk at last, and every sentence carries weight. ";

export const EXAMPLES = [
  ["A delight", "An unhurried, generous film that earns every tear."],
  ["A letdown", "The battery died after two days and nobody answered my letters."],
  ["In between", "Not bad at all, though the ending let me down."],
  ["Just facts", "The museum opens on weekdays from nine to five."],
  ["With emoji", "Ordered twice, loved it twice 😍🎉"],
  ["Too long", RAMBLING.repeat(6).trim()],
];
