#include "clients/cli/model_choice.h"

#include <string>

#include "tests/catch.h"

namespace bertha::cli {
namespace {

/// "name/version/label".
std::string Parsed(absl::string_view text) {
  const auto choice = ParseModelChoice(text);
  if (!choice.ok()) return std::string(choice.status().message());
  return choice->name + "/" + std::to_string(choice->version) + "/" + choice->label;
}

TEST_CASE("After the colon stands a version if it is all digits, else a label") {
  CHECK(Parsed("mood") == "mood/0/");
  CHECK(Parsed("mood:3") == "mood/3/");
  CHECK(Parsed("mood:stable") == "mood/0/stable");
  CHECK(Parsed("mood:3b") == "mood/0/3b");
  CHECK(Parsed("mood:-3") == "mood/0/-3");
  CHECK(Parsed(":stable") == "/0/stable");
  CHECK(Parsed("") == "/0/");
  CHECK(Parsed("mood:9223372036854775807") == "mood/9223372036854775807/");
}

TEST_CASE("What is neither version nor label is refused") {
  CHECK(Parsed("mood:") == "nothing follows the colon: NAME:VERSION or NAME:LABEL");
  CHECK(Parsed("mood:0") == "not a version: 0");
  CHECK(Parsed("mood:9223372036854775808") == "not a version: 9223372036854775808");
}

TEST_CASE("An RPC in the server's advice becomes a command; other messages stay as they are") {
  const std::string does = "the model \"m\" does ";
  CHECK(WithCommand(does + "token-classification; call TagTokens, not Classify") ==
        does + "token-classification; use `bertha tag`");
  CHECK(WithCommand(does + "question-answering; call Answer, not Embed") ==
        does + "question-answering; use `bertha answer`");
  CHECK(WithCommand(does + "embeddings; call Embed, not Answer") == does + "embeddings; use `bertha embed`");
  CHECK(WithCommand(does + "sequence-classification; call Classify, not Embed") ==
        does + "sequence-classification; use `bertha classify`");
  CHECK(WithCommand("takes no pairs") == "takes no pairs");
  CHECK(WithCommand("too long; call Mother, not me") == "too long; call Mother, not me");
}

}  // namespace
}  // namespace bertha::cli
