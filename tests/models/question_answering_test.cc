// Edges of answer finding; task_goldens_test.cc has what is usual.
#include "models/tasks/question_answering.h"

#include <cmath>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/tokenizer/support.h"

namespace bertha::models {
namespace {

using tokenizer::EncodeOptions;
using tokenizer::Encoding;
using tokenizer::Span;

/// Question and context with the small tokenizer: [CLS] question [SEP] context [SEP].
Encoding Encoded(const std::string& question, const std::string& context) {
  EncodeOptions options;
  options.offsets = options.char_offsets = options.word_ids = options.sequence_ids = true;
  return tokenizer::EncodeWith(*tokenizer::Load(tokenizer::SmallJson()), question, context, options);
}

constexpr int32_t kCls = 2;

struct Found {
  std::vector<FoundAnswer> answers = {{7, {7, 7}, {7, 7}, true}};  // what an earlier question left behind
  float no_answer = 0;
};

/// With logits (0, 0) for all tokens, or `logits`.
Found Find(const std::string& context, const AnswerOptions& options, std::vector<float> logits = {},
           size_t windows = 1) {
  const Encoding encoding = Encoded("foo", context);
  logits.resize(2 * encoding.ids.size());
  Found found;
  const std::vector<AnswerWindow> read(windows, {&encoding, logits});
  found.no_answer = FindAnswers(context, read, {1, kCls}, options, found.answers);
  return found;
}

TEST_CASE("AnEmptyContextHasNoAnswer") {
  for (const std::string context : {"", "  "}) {
    Found found = Find(context, {5, 15, false});
    CHECK(found.answers.empty());
    CHECK(found.no_answer == 1);
    found = Find(context, {5, 15, true});
    REQUIRE(found.answers.size() == 1);
    CHECK(found.answers[0].no_answer);
    CHECK(found.answers[0].score == 1);
    CHECK(found.answers[0].bytes == Span{0, 0});
  }
}

TEST_CASE("TopKCutsTheListOfAnswers") {
  const std::string context = "a b foo";  // 6 answers
  CHECK(Find(context, {0, 15, true}).answers.empty());
  CHECK(Find(context, {1, 15, false}).answers.size() == 1);
  CHECK(Find(context, {1000, 15, false}).answers.size() == 6);
  CHECK(Find(context, {1000, 15, true}).answers.size() == 7);
  CHECK(Find(context, {1000, 2, false}).answers.size() == 5);
  CHECK(Find(context, {1000, 1, false}).answers.size() == 3);
  CHECK(Find(context, {1000, 0, false}).answers.empty());
}

TEST_CASE("EqualScoresAreInTheOrderOfTheText") {
  const Found found = Find("a b foo", {4, 15, true});
  REQUIRE(found.answers.size() == 4);
  const Span spans[] = {{0, 1}, {0, 3}, {0, 7}, {2, 3}};
  for (size_t i = 0; i < 4; ++i) {
    CHECK(found.answers[i].bytes == spans[i]);
    CHECK(found.answers[i].score == Approx(1.0 / 16));  // four tokens count: [CLS] and the context
    CHECK_FALSE(found.answers[i].no_answer);
  }
  CHECK(found.no_answer == Approx(1.0 / 16));
}

TEST_CASE("AnswersWithOneTextAreOneWithTheSumOfTheScores") {
  // Twice in the text, in another case, and in each of three windows.
  const Found found = Find("é É", {1, 1, false}, {}, 3);
  REQUIRE(found.answers.size() == 1);
  CHECK(found.answers[0].score == Approx(6.0 / 9));
  CHECK(found.answers[0].bytes == Span{0, 2});
  CHECK(found.answers[0].chars == Span{0, 1});
}

TEST_CASE("AnAnswerInsideOfAWordIsTheWord") {
  // [CLS] foo [SEP] un ##aff ##able a [SEP]
  const Found found = Find("unaffable a", {1, 15, false}, {0, 0, 0, 0, 0, 0, 0, 0, 20, 20});
  CHECK(found.answers[0].bytes == Span{0, 9});
  CHECK(found.answers[0].score == Approx(1));
}

TEST_CASE("HugeLogitsGiveFiniteScores") {
  const Found found = Find("a b", {1, 15, true}, {-3e38f, 3e38f, 0, 0, 0, 0, 3e38f, -3e38f, -3e38f, 3e38f});
  for (const FoundAnswer& answer : found.answers) CHECK(std::isfinite(answer.score));
  CHECK(found.answers.size() == 1);
  CHECK(std::isfinite(found.no_answer));
}

TEST_CASE("AnswersAtTheQuestionStayInsideOfTheContext") {
  // Read as XLNet reads it, with all tokens in play and the first text for the context, which is the shorter one.
  const std::string context = "é", question = "a b foo unaffable";
  const Encoding encoding = Encoded(context, question);
  const std::vector<float> logits(2 * encoding.ids.size());
  const std::vector<AnswerWindow> windows = {{&encoding, logits}};
  std::vector<FoundAnswer> answers;
  FindAnswers(context, windows, {0, kCls}, {1000, 15, true}, answers);
  CHECK(answers.size() >= 2);
  for (const FoundAnswer& answer : answers) {
    CHECK((answer.bytes.begin <= answer.bytes.end && answer.bytes.end <= 2));
    CHECK((answer.chars.begin <= answer.chars.end && answer.chars.end <= 1));
  }
}

}  // namespace
}  // namespace bertha::models
