#include "clients/cli/question_line.h"

#include <string>
#include <utility>

#include "tests/catch.h"

namespace bertha::cli {
namespace {

/// "question|context", or what is wrong.
std::string Parsed(std::string line) {
  Input input{.text = std::move(line)};
  const absl::Status status = ParseQuestionLine(input);
  return status.ok() ? input.text + "|" + input.pair.value_or("none") : std::string(status.message());
}

TEST_CASE("A line is an object with question and context, in any order and with other keys") {
  CHECK(Parsed(R"({"question": "Who?", "context": "Ada."})") == "Who?|Ada.");
  CHECK(Parsed(R"({"id": [1, {}], "context": "", "question": "a\u00e9\n\"b\""})") == "aé\n\"b\"|");
}

TEST_CASE("Any other line is refused with what is wrong") {
  const std::string not_object = R"(the line must be a JSON object such as {"question": "...", "context": "..."})";
  for (const char* line : {"", "Who?", "[]", "\"Who?\"", "null", "{\"question\": ", "{} {}"}) {
    CAPTURE(line);
    CHECK(Parsed(line) == not_object);
  }
  CHECK(Parsed(std::string("{\"question\":\"a\",\"context\":\"b\"}\0x", 32)) == not_object);
  CHECK(Parsed(R"({"context": "Ada."})") == "question is missing");
  CHECK(Parsed(R"({"question": "Who?"})") == "context is missing");
  CHECK(Parsed(R"({"question": "Who?", "context": 7})") == "context must be a string");
}

}  // namespace
}  // namespace bertha::cli
