#include "clients/cli/send_chunk.h"

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

using Texts = std::vector<std::string>;

/// Answers a text with a label that repeats it; refuses calls that hold a text with "BAD"; fails as told before that.
class FakeCaller : public Caller {
 public:
  CallResult Call(absl::Span<const Input* const> inputs, absl::Time deadline) override {
    Texts texts;
    for (const Input* input : inputs) texts.push_back(input->text);
    calls.push_back(texts);
    deadlines.push_back(deadline);
    if (!failures.empty()) {
      CallResult failure = failures.front();
      failures.pop_front();
      return failure;
    }
    CallResult result;
    for (const std::string& text : texts) {
      if (absl::StrContains(text, "FAULT")) return {.status = absl::InternalError("inputs[0]: out of luck")};
      if (absl::StrContains(text, "LONG")) return {.status = absl::InvalidArgumentError("inputs[0].text: too long")};
      if (absl::StrContains(text, "BAD")) return {.status = absl::InvalidArgumentError("bad: " + text)};
      result.results.push_back({.body = Labels{.scores = {{"label of " + text, 1.0f}}}});
    }
    return result;
  }

  std::vector<Texts> calls;
  std::vector<absl::Time> deadlines;
  std::deque<CallResult> failures;
};

/// Time that passes only by waiting.
struct FakeTime {
  absl::Time now = absl::UnixEpoch();
  std::vector<absl::Duration> waits;
  RetryPolicy Policy(absl::Duration timeout) {
    return {.timeout = timeout,
            .now = [this] { return now; },
            .wait =
                [this](absl::Duration d) {
                  waits.push_back(d);
                  now += d;
                }};
  }
};

Chunk MakeChunk(const Texts& texts) {
  Chunk chunk{.end_bytes = 99};
  for (const std::string& text : texts) chunk.inputs.push_back({.index = 10 + chunk.inputs.size(), .text = text});
  return chunk;
}

/// Label or error message of every row.
Texts Ends(const Outcome& outcome) {
  Texts ends;
  for (const Row& row : outcome.rows) {
    ends.push_back(row.result.ok() ? std::get<Labels>(row.result->body).scores[0].label
                                   : std::string(row.result.status().message()));
  }
  return ends;
}

TEST_CASE("Good inputs travel in one call and come back in order") {
  FakeCaller caller;
  FakeTime time;
  const Outcome outcome = SendChunk(MakeChunk({"a", "b"}), caller, time.Policy(absl::Seconds(1)));
  CHECK(Ends(outcome) == Texts{"label of a", "label of b"});
  CHECK(outcome.rows[1].input.index == 11);
  CHECK(outcome.end_bytes == 99);
  CHECK(caller.calls.size() == 1);
  CHECK(caller.deadlines[0] == absl::UnixEpoch() + absl::Seconds(1));
}

TEST_CASE("An input with a problem is never sent; its row has the problem") {
  FakeCaller caller;
  FakeTime time;
  Chunk chunk = MakeChunk({"a", "b", "c"});
  chunk.inputs[1].problem = absl::InvalidArgumentError("not UTF-8");
  CHECK(Ends(SendChunk(chunk, caller, time.Policy(absl::Seconds(1)))) ==
        Texts{"label of a", "not UTF-8", "label of c"});
  CHECK(caller.calls == std::vector<Texts>{{"a", "c"}});
}

TEST_CASE("A chunk of problems makes no call") {
  FakeCaller caller;
  FakeTime time;
  Chunk chunk = MakeChunk({"a"});
  chunk.inputs[0].problem = absl::InvalidArgumentError("not UTF-8");
  CHECK(Ends(SendChunk(chunk, caller, time.Policy(absl::Seconds(1)))) == Texts{"not UTF-8"});
  CHECK(caller.calls.empty());
}

TEST_CASE("Of a refused call only the bad inputs fail, wherever they are") {
  for (const size_t size : {1, 2, 3, 7, 32}) {
    for (size_t bad = 0; bad < size; ++bad) {
      Texts texts, expected;
      for (size_t i = 0; i < size; ++i) {
        texts.push_back(i == bad ? "BAD" : std::to_string(i));
        expected.push_back(i == bad ? "bad: BAD" : "label of " + texts.back());
      }
      CAPTURE(size, bad);
      FakeCaller caller;
      FakeTime time;
      CHECK(Ends(SendChunk(MakeChunk(texts), caller, time.Policy(absl::Seconds(1)))) == expected);
      CHECK(caller.calls.size() <= 11);  // 1 + 2 log2(32): taken apart by halves, not one by one
    }
  }
}

TEST_CASE("An engine's fault on one input fails that input, and errors do not count inputs of the call") {
  FakeCaller caller;
  FakeTime time;
  const Outcome outcome = SendChunk(MakeChunk({"a", "FAULT", "b", "LONG"}), caller, time.Policy(absl::Seconds(1)));
  CHECK(Ends(outcome) == Texts{"label of a", "out of luck", "label of b", "text: too long"});
}

TEST_CASE("Several bad inputs fail each with its own message") {
  FakeCaller caller;
  FakeTime time;
  CHECK(Ends(SendChunk(MakeChunk({"BAD1", "a", "b", "BAD2"}), caller, time.Policy(absl::Seconds(1)))) ==
        Texts{"bad: BAD1", "label of a", "label of b", "bad: BAD2"});
}

TEST_CASE("A retry waits as long as the server asks, and then succeeds") {
  FakeCaller caller;
  caller.failures = {{.status = absl::ResourceExhaustedError("full"), .pushback_ms = 70}};
  FakeTime time;
  CHECK(Ends(SendChunk(MakeChunk({"a"}), caller, time.Policy(absl::Seconds(1)))) == Texts{"label of a"});
  CHECK(time.waits == std::vector<absl::Duration>{absl::Milliseconds(70)});
  CHECK(caller.deadlines[1] == caller.deadlines[0]);  // the retry shares the time of the first attempt
}

TEST_CASE("Retries end before the deadline, with the server's last word") {
  FakeCaller caller;
  caller.failures.assign(1000, {.status = absl::ResourceExhaustedError("full"), .pushback_ms = 300});
  FakeTime time;
  CHECK(Ends(SendChunk(MakeChunk({"a", "b"}), caller, time.Policy(absl::Seconds(1)))) == Texts{"full", "full"});
  CHECK(time.now < absl::UnixEpoch() + absl::Seconds(1));
  CHECK(caller.calls.size() == 4);  // at 0, 300, 600 and 900 ms
}

TEST_CASE("What is retried, and when") {
  const CallResult full{.status = absl::ResourceExhaustedError("")};
  CallResult pushed = full, refused = full;
  pushed.pushback_ms = 50;
  refused.pushback_ms = -1;
  CHECK(RetryDelay(pushed, 1) == absl::Milliseconds(50));
  CHECK(RetryDelay(pushed, 20) == absl::Milliseconds(500));  // refused again and again: back off further
  CHECK_FALSE(RetryDelay(full, 1).has_value());
  CHECK_FALSE(RetryDelay(refused, 1).has_value());

  CallResult gone{.status = absl::UnavailableError(""), .unreachable = true, .never_reached = false};
  CHECK(RetryDelay(gone, 1) == absl::Milliseconds(10));
  gone.never_reached = true;
  CHECK_FALSE(RetryDelay(gone, 1).has_value());
  CHECK(RetryDelay({.status = absl::UnavailableError("draining")}, 1).has_value());
  CHECK_FALSE(RetryDelay({.status = absl::InternalError("")}, 1).has_value());
  CHECK_FALSE(RetryDelay({.status = absl::DeadlineExceededError("")}, 1).has_value());
}

TEST_CASE("An error of the whole run is fatal and gives no rows") {
  for (const absl::Status& status : {absl::NotFoundError("no model"), absl::FailedPreconditionError("other task"),
                                     absl::UnimplementedError("not bertha")}) {
    FakeCaller caller;
    caller.failures = {{.status = status}};
    FakeTime time;
    const Outcome outcome = SendChunk(MakeChunk({"a", "b"}), caller, time.Policy(absl::Seconds(1)));
    CHECK(outcome.fatal == status);
    CHECK_FALSE(outcome.unreachable);
    CHECK(outcome.rows.empty());
    CHECK(caller.calls.size() == 1);
  }
}

TEST_CASE("A server that was never there is fatal at once; one that went away only after the timeout") {
  CallResult gone{.status = absl::UnavailableError("refused"), .unreachable = true, .never_reached = true};
  FakeCaller never;
  never.failures.assign(1000, gone);
  FakeTime time;
  CHECK(SendChunk(MakeChunk({"a"}), never, time.Policy(absl::Seconds(1))).unreachable);
  CHECK(never.calls.size() == 1);

  gone.never_reached = false;
  FakeCaller away;
  away.failures.assign(1000, gone);
  CHECK(SendChunk(MakeChunk({"a"}), away, time.Policy(absl::Seconds(1))).unreachable);
  CHECK(away.calls.size() > 1);

  FakeCaller back;
  back.failures.assign(2, gone);
  CHECK(Ends(SendChunk(MakeChunk({"a"}), back, time.Policy(absl::Seconds(1)))) == Texts{"label of a"});
}

TEST_CASE("Too few results are an error of these inputs, not a shift of the others") {
  FakeCaller caller;
  caller.failures = {{.status = absl::OkStatus(), .results = {Result{}}}};
  FakeTime time;
  const std::string message = "the server sent 1 results for 2 inputs";
  CHECK(Ends(SendChunk(MakeChunk({"a", "b"}), caller, time.Policy(absl::Seconds(1)))) == Texts{message, message});
}

}  // namespace
}  // namespace bertha::cli
