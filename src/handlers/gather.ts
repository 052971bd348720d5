/** Answers that come one by one, now or later, put together in the order of the questions. */

type Topic<T> = { readonly name: string; readonly partitions: readonly T[] };

/** Asks something of every partition of a request and answers when all have. */
export function gatherPartitions<Asked, Answered>(
  topics: readonly Topic<Asked>[],
  ask: (topic: string, asked: Asked, done: (answer: Answered) => void) => void,
  done: (topics: { name: string; partitions: Answered[] }[]) => void,
): void {
  const answers = topics.map(({ name, partitions }) => ({
    name,
    partitions: new Array<Answered>(partitions.length),
  }));
  // One more than there are questions, so that synchronous answers cannot end it early.
  let waiting = 1;
  const settle = (): void => {
    waiting--;
    if (waiting === 0) done(answers);
  };
  topics.forEach(({ name, partitions }, t) => {
    partitions.forEach((asked, p) => {
      waiting++;
      ask(name, asked, (answer) => {
        (answers[t] as (typeof answers)[number]).partitions[p] = answer;
        settle();
      });
    });
  });
  settle();
}

/** Asks something of every element and answers when all have. */
export function gather<Asked, Answered>(
  questions: readonly Asked[],
  ask: (asked: Asked, done: (answer: Answered) => void) => void,
  done: (answers: Answered[]) => void,
): void {
  const answers = new Array<Answered>(questions.length);
  let waiting = questions.length;
  if (waiting === 0) done(answers);
  questions.forEach((asked, i) => {
    ask(asked, (answer) => {
      answers[i] = answer;
      waiting--;
      if (waiting === 0) done(answers);
    });
  });
}
