#include "models/cuda/batch_layout.h"

#include <cstring>

#include "models/cuda/run_in_parts.h"
#include "tests/catch.h"

namespace bertha::cuda {
namespace {

using models::CudaBatch;
using models::CudaOutcome;
using models::HeadRows;

struct Texts {
  explicit Texts(const std::vector<int>& lengths) {
    for (const int length : lengths) {
      for (int i = 0; i < length; ++i) ids.push_back(static_cast<int32_t>(ids.size() % 7));
      cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
    }
    types.assign(ids.size(), 0);
  }
  CudaBatch batch() const { return {ids, types, cu_seqlens}; }
  std::vector<int32_t> ids, types, cu_seqlens = {0};
};

const InputRules kRules = {.vocabulary = 7, .types = 2, .max_length = 200, .head_rows = HeadRows::kFirst};

TEST_CASE("Buckets grow with the batch, hold it, and waste at most a sixteenth beyond 256 tokens") {
  CHECK(TokenBucket(1) == 16);
  CHECK(TokenBucket(16) == 16);
  CHECK(TokenBucket(17) == 32);
  CHECK(TokenBucket(128) == 128);
  CHECK(TokenBucket(257) == 288);
  CHECK(TokenBucket(4096) == 4096);
  CHECK(TokenBucket(4097) == 4608);
  for (int tokens = 1, last = 0; tokens < 20000; ++tokens) {
    const int bucket = TokenBucket(tokens);
    REQUIRE(bucket >= tokens);
    REQUIRE(bucket >= last);
    REQUIRE(bucket - tokens < std::max(16, tokens / 8));
    REQUIRE(TokenBucket(bucket) == bucket);
    last = bucket;
  }
}

TEST_CASE("All buckets are listed once") {
  const std::vector<int> buckets = TokenBuckets(300);
  CHECK(buckets.size() == 16 + 2);
  CHECK(buckets.front() == 16);
  CHECK(buckets.back() == 320);
  CHECK(TokenBuckets(8192).size() == 16 + 8 * 5);
}

TEST_CASE("Parts hold whole sequences, in order, and no more tokens than allowed") {
  const Texts texts({60, 50, 100, 1, 1, 120});
  const std::vector<Part> parts = PlanParts(kRules, texts.batch(), 128);
  REQUIRE(parts.size() == 3);
  CHECK((parts[0].first == 0 && parts[0].last == 2 && parts[0].tokens == 110 && parts[0].rows == 2));
  CHECK((parts[1].first == 2 && parts[1].last == 5 && parts[1].tokens == 102 && parts[1].first_row == 2));
  CHECK((parts[2].first == 5 && parts[2].last == 6 && parts[2].tiles == 2 && parts[2].first_row == 5));
  for (size_t i = 1; i < parts.size(); ++i) CHECK(parts[i].input >= parts[i - 1].input + parts[i - 1].input_count);
  CHECK(PlanParts(kRules, Texts({}).batch(), 128).empty());
  CHECK(InputCount({}) == 0);
}

TEST_CASE("A part's input: ids, positions, the rows to read, tiles; zeros where a bucket is filled up") {
  const Texts texts({3, 70, 2});
  InputRules rules = kRules;
  rules.head_rows = HeadRows::kLast;
  const std::vector<Part> parts = PlanParts(rules, texts.batch(), 1000);
  REQUIRE(parts.size() == 1);
  const Part& part = parts[0];
  const InputLayout at(part.token_bucket, part.row_bucket);
  std::vector<int32_t> input(InputCount(parts) + 5, -7);
  FillInput(rules, texts.batch(), part, input.data());
  CHECK(std::vector(input.begin(), input.begin() + 75) == texts.ids);
  CHECK(input[at.ids + 75] == 0);
  CHECK(input[at.positions + 2] == 2);
  CHECK(input[at.positions + 3] == 0);
  CHECK(input[at.positions + 74] == 1);
  CHECK(std::vector(input.begin() + at.rows, input.begin() + at.rows + 4) == std::vector<int32_t>{2, 72, 74, 0});
  CHECK(input[at.counts] == 4);
  CHECK(input[at.counts + 1] == 3);
  AttentionTile tiles[4], rows[3];
  memcpy(static_cast<void*>(tiles), input.data() + at.tiles, sizeof tiles);
  memcpy(static_cast<void*>(rows), input.data() + at.row_tiles, sizeof rows);
  CHECK((tiles[1].query == 3 && tiles[1].queries == 64 && tiles[1].position == 0 && tiles[1].keys == 70));
  CHECK((tiles[2].query == 67 && tiles[2].queries == 6 && tiles[2].position == 64 && tiles[2].key == 3));
  CHECK((tiles[3].query == 73 && tiles[3].queries == 2));
  CHECK((rows[1].query == 1 && rows[1].queries == 1 && rows[1].position == 69 && rows[1].key == 3));
  CHECK(std::vector(input.end() - 5, input.end()) == std::vector<int32_t>(5, -7));
  CHECK(part.input_count + 5 == input.size());
}

TEST_CASE("A head that reads every token has neither rows nor tiles of its own") {
  InputRules rules = kRules;
  rules.head_rows = HeadRows::kAll;
  const std::vector<Part> parts = PlanParts(rules, Texts({3, 4}).batch(), 1000);
  CHECK((parts[0].rows == 7 && parts[0].row_bucket == 0 && parts[0].row_tiles == 0));
}

TEST_CASE("A skipped token stands before the first position and moves no other on") {
  Texts texts({5, 2});
  texts.ids = {3, 1, 4, 1, 5, 1, 2};
  InputRules rules = kRules;
  rules.first_position = 2;
  rules.skipped_id = 1;
  const std::vector<Part> parts = PlanParts(rules, texts.batch(), 1000);
  std::vector<int32_t> input(InputCount(parts));
  FillInput(rules, texts.batch(), parts[0], input.data());
  const auto at = input.begin() + static_cast<ptrdiff_t>(InputLayout(16, 8).positions);
  CHECK(std::vector(at, at + 7) == std::vector<int32_t>{2, 1, 3, 1, 4, 1, 2});
}

TEST_CASE("A batch that would read outside a table is refused with what is wrong") {
  struct {
    std::string message;
    void (*spoil)(Texts&);
  } const cases[] = {
      {"sequence 1: token id 7, the vocabulary has 7", [](Texts& t) { t.ids[4] = 7; }},
      {"sequence 0: token id -1, the vocabulary has 7", [](Texts& t) { t.ids[0] = -1; }},
      {"sequence 1: type id 2, the model has 2", [](Texts& t) { t.types[6] = 2; }},
      {"sequence 0: is empty", [](Texts& t) { t.cu_seqlens[1] = 0; }},
      {"sequence 1: is empty",
       [](Texts& t) {
         t.cu_seqlens = {0, 8, 3, 7};
       }},
      {"sequence 0: does not begin at 0", [](Texts& t) { t.cu_seqlens[0] = 1; }},
      {"6 ids and 7 type ids of 7 tokens", [](Texts& t) { t.ids.pop_back(); }},
      {"sequence 0: 201 tokens, expected 1 to 200", [](Texts& t) { t = Texts({201}); }},
  };
  CHECK(CheckBatch(kRules, Texts({3, 4}).batch()).ok());
  CHECK(CheckBatch(kRules, Texts({}).batch()).ok());
  CHECK(CheckBatch(kRules, {}).ok());
  for (const auto& c : cases) {
    Texts texts({3, 4});
    c.spoil(texts);
    const CudaOutcome outcome = CheckBatch(kRules, texts.batch());
    CHECK(outcome.code == CudaOutcome::Code::kInvalid);
    CHECK(outcome.message == c.message);
  }
}

TEST_CASE("A part that is out of memory runs in halves, in order; another failure ends it") {
  std::vector<size_t> rows;
  size_t fits = 3;
  auto run = [&](size_t first, size_t count) -> CudaOutcome {
    if (count > fits) return {CudaOutcome::Code::kOutOfMemory, "too much"};
    if (first == 9) return {CudaOutcome::Code::kInternal, "row 9"};
    for (size_t i = 0; i < count; ++i) rows.push_back(first + i);
    return {};
  };
  CHECK(RunInParts(0, 9, run).ok());
  CHECK(rows == std::vector<size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8});
  fits = 1;
  CHECK(RunInParts(5, 8, run).message == "row 9");
  fits = 0;
  CHECK(RunInParts(0, 4, run).code == CudaOutcome::Code::kOutOfMemory);
}

}  // namespace
}  // namespace bertha::cuda
