// Edges of the entity strategies; task_goldens_test.cc has what is usual.
#include "models/tasks/token_classification.h"

#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/tokenizer/support.h"

namespace bertha::models {
namespace {

using tokenizer::Encoding;
using tokenizer::Span;

using Words = std::vector<std::string>;

constexpr Aggregation kAll[] = {Aggregation::kNone, Aggregation::kSimple, Aggregation::kFirst, Aggregation::kAverage,
                                Aggregation::kMax};

/// A tokenizer that the tests need not encode with.
const tokenizer::Tokenizer& SmallTokenizer() {
  static const auto& loaded = *new auto(tokenizer::Load(tokenizer::SmallJson()));
  return *loaded;
}

/// A window of the text with one token of id 5, "a", for each span; all ASCII. Spans of {0, 0} are special tokens.
Encoding WindowOf(const std::vector<Span>& spans) {
  Encoding encoding;
  for (const Span& span : spans) {
    encoding.ids.push_back(5);
    encoding.special_tokens_mask.push_back(span.end == 0);
    encoding.offsets.push_back(span);
    encoding.char_offsets.push_back(span);
  }
  return encoding;
}

struct Window {
  Encoding encoding;
  std::vector<float> logits;
};

/// "label begin-end" for each entity.
Words Tagged(const Words& labels, const std::string& text, const std::vector<Window>& windows,
             Aggregation aggregation) {
  std::vector<TaggedWindow> tagged;
  for (const Window& window : windows) tagged.push_back({&window.encoding, window.logits});
  std::vector<Entity> entities(3);
  EntityTagger(labels, SmallTokenizer()).Tag(text, tagged, aggregation, entities);
  Words found;
  for (const Entity& entity : entities) {
    CHECK(entity.bytes == entity.chars);
    CHECK((entity.score > 0 && entity.score <= 1));
    found.push_back(std::string(entity.label) + " " + std::to_string(entity.chars.begin) + "-" +
                    std::to_string(entity.chars.end));
  }
  return found;
}

TEST_CASE("SpecialTokensAloneAreNoEntities") {
  for (const Aggregation aggregation : kAll) {
    CHECK(Tagged({"X"}, "", {{WindowOf({{0, 0}, {0, 0}}), {1, 1}}}, aggregation).empty());
    CHECK(Tagged({"X"}, "", {}, aggregation).empty());
  }
}

TEST_CASE("WhatIsOutsideIsNoEntity") {
  for (const Aggregation aggregation : kAll) {
    CHECK(Tagged({"O"}, "a b", {{WindowOf({{0, 1}, {2, 3}}), {3, -3}}}, aggregation).empty());
    // Of the kind O are all that end in -O, once tokens are taken together.
    const Words found = Tagged({"B-O"}, "a", {{WindowOf({{0, 1}}), {0}}}, aggregation);
    CHECK(found == (aggregation == Aggregation::kNone ? Words{"B-O 0-1"} : Words{}));
  }
}

TEST_CASE("NeighboursOfOneTagAreOneEntityUnlessTheNextBegins") {
  struct Case {
    Words labels;
    std::vector<float> logits;  // of three words
    Words expected;
  };
  const std::vector<Case> cases = {
      {{"B-X", "I-X"}, {1, 0, 0, 1, 0, 1}, {"X 0-5"}},
      {{"B-X", "I-X"}, {1, 0, 1, 0, 0, 1}, {"X 0-1", "X 2-5"}},
      {{"B-X", "I-X"}, {0, 1, 0, 1, 1, 0}, {"X 0-3", "X 4-5"}},
      {{"B-X", "I-Y"}, {1, 0, 0, 1, 0, 1}, {"X 0-1", "Y 2-5"}},
      {{"X", "I-X"}, {1, 0, 0, 1, 1, 0}, {"X 0-5"}},
      // The tag of A-X is A-X, its kind is X.
      {{"A-X", "I-X"}, {1, 0, 0, 1, 1, 0}, {"X 0-1", "X 2-3", "X 4-5"}},
      {{"I", "B-"}, {1, 0, 1, 0, 0, 1}, {"I 0-3", " 4-5"}},
      // Of equal scores the first label's.
      {{"X", "Y"}, {0, 0, 1, 1, -5, -5}, {"X 0-5"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.labels, c.logits);
    CHECK(Tagged(c.labels, "a a a", {{WindowOf({{0, 1}, {2, 3}, {4, 5}}), c.logits}}, Aggregation::kSimple) ==
          c.expected);
    CHECK(Tagged(c.labels, "a a a", {{WindowOf({{0, 1}, {2, 3}, {4, 5}}), c.logits}}, Aggregation::kMax) == c.expected);
  }
}

TEST_CASE("OfOverlappingEntitiesTheLongerOneStaysAndOfEqualOnesTheBetter") {
  const Words labels = {"X", "Y"};
  const auto kept = [&](const Window& first, const Window& second) {
    return Tagged(labels, "a a a a", {first, second}, Aggregation::kSimple);
  };
  // One covers the other entirely, in either order.
  const Window all = {WindowOf({{0, 1}, {2, 3}, {4, 5}}), {9, 0, 9, 0, 9, 0}};
  const Window inner = {WindowOf({{2, 3}}), {0, 9}};
  CHECK(kept(all, inner) == Words{"X 0-5"});
  CHECK(kept(inner, all) == Words{"X 0-5"});
  // Equally long.
  CHECK(kept({WindowOf({{2, 3}}), {1, 0}}, {WindowOf({{2, 3}}), {0, 2}}) == Words{"Y 2-3"});
  CHECK(kept({WindowOf({{2, 3}}), {2, 0}}, {WindowOf({{2, 3}}), {0, 1}}) == Words{"X 2-3"});
  CHECK(kept({WindowOf({{2, 3}}), {1, 0}}, {WindowOf({{2, 3}}), {0, 1}}) == Words{"X 2-3"});
  // One after the other.
  CHECK(kept({WindowOf({{2, 3}}), {1, 0}}, {WindowOf({{0, 1}}), {1, 0}}) == Words{"X 0-1", "X 2-3"});
  // An entity of no length overlaps nothing.
  CHECK(kept({WindowOf({{1, 1}}), {1, 0}}, {WindowOf({{1, 2}}), {1, 0}}) == Words{"X 1-1", "X 1-2"});
}

TEST_CASE("ASpanDoesNotEndBeforeItBegins") {
  CHECK(Tagged({"X"}, "a a a", {{WindowOf({{4, 5}, {2, 3}}), {0, 0}}}, Aggregation::kSimple) == Words{"X 4-4"});
}

}  // namespace
}  // namespace bertha::models
