// Inference over a fake tokenizer and a fake encoder: everything of a call but the wire and the model.
#ifndef BERTHA_TESTS_SERVER_FIXTURE_H_
#define BERTHA_TESTS_SERVER_FIXTURE_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/inference.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"
#include "tests/server/statuses.h"

namespace bertha::server {

/// One token per byte; '!' is refused, as a tokenizer refuses what is not UTF-8.
class ByteTokenizer final : public tokenizer::Tokenizer {
 public:
  absl::Status Encode(absl::string_view text, std::optional<absl::string_view> pair,
                      const tokenizer::EncodeOptions& options, tokenizer::Scratch&,
                      tokenizer::Encoding& out) const override {
    const std::string all = std::string(text) + std::string(pair.value_or(""));
    if (all.find('!') != std::string::npos) return absl::InvalidArgumentError("text: invalid UTF-8 at byte 0");
    out.ids.assign(1, 1);
    for (char c : all) out.ids.push_back(c);
    out.full_length = out.ids.size();
    if (options.max_length && out.ids.size() > options.max_length) {
      if (options.truncation_side == tokenizer::TruncationSide::kLeft) {
        out.ids.erase(out.ids.begin() + 1, out.ids.end() - static_cast<ptrdiff_t>(options.max_length) + 1);
      } else {
        out.ids.resize(options.max_length);
      }
    }
    out.type_ids.assign(out.ids.size(), 0);
    return absl::OkStatus();
  }
  size_t vocab_size() const override { return 256; }
  std::optional<int32_t> TokenToId(absl::string_view) const override { return std::nullopt; }
  std::optional<absl::string_view> IdToToken(int32_t) const override { return std::nullopt; }
};

/// A real tokenizer that knows the words a to z, with [CLS] and [SEP] as BERT has them.
inline std::unique_ptr<const tokenizer::Tokenizer> MakeWordTokenizer() {
  std::string vocab = R"("[UNK]": 0, "[CLS]": 1, "[SEP]": 2)";
  for (char c = 'a'; c <= 'z'; ++c) vocab += std::string(", \"") + c + "\": " + std::to_string(c);
  auto tokenizer = tokenizer::Tokenizer::FromJson(
      R"({"added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "BertPreTokenizer"},
          "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
          "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 100, "vocab": {)" +
      vocab + "}}}");
  INFO(tokenizer.status().ToString());
  REQUIRE(tokenizer.ok());
  return *std::move(tokenizer);
}

struct InferenceFixture {
  explicit InferenceFixture(batcher::QueueOptions queue = {}, CallLimits limits = {}, std::string default_model = "")
      : table(std::move(default_model)),
        dispatcher({.queue = queue}, &clock),
        pool(1, 4),
        inference({table, dispatcher, pool, clock, limits}) {}

  /// A sequence classifier over bytes. The fake's row is {sum of ids, number of tokens}.
  batcher::FakeEncoder* AddModel(const std::string& name, int64_t version = 1,
                                 models::ProblemType type = models::ProblemType::kSingleLabel, bool pairs = true) {
    auto model = std::make_shared<ServingModel>();
    model->key = {name, version};
    model->manifest.problem_type = type;
    model->manifest.labels = {"sum", "count"};
    model->manifest.max_length = 10;
    model->manifest.accepts_pairs = pairs;
    model->tokenizer = std::make_unique<ByteTokenizer>();
    return Serve(std::move(model));
  }
  /// A model over the words a to z. The fake's rows are {id, place in the sequence} for tasks with a row per token.
  batcher::FakeEncoder* AddWordModel(const std::string& name, models::Task task, bool pairs = false) {
    auto model = std::make_shared<ServingModel>();
    model->key = {name, 1};
    model->manifest.task = task;
    model->manifest.labels = {"O", "B-X"};
    model->manifest.dimension = 2;
    model->manifest.max_length = 10;
    model->manifest.accepts_pairs = pairs;
    model->tokenizer = MakeWordTokenizer();
    return Serve(std::move(model));
  }
  batcher::FakeEncoder* Serve(std::shared_ptr<ServingModel> model) {
    auto encoder = std::make_unique<batcher::FakeEncoder>(/*pads=*/false, model->manifest.row_per_token());
    batcher::FakeEncoder* raw = encoder.get();
    std::vector<std::unique_ptr<batcher::Encoder>> replicas;
    replicas.push_back(std::move(encoder));
    model->encoder = raw->Describe();
    model->id = *dispatcher.AddModel(std::move(replicas), {});
    table.SetServing(std::move(model));
    return raw;
  }

  static v1::ClassifyRequest Request(const std::vector<std::string>& texts, const std::string& model = "") {
    v1::ClassifyRequest request;
    request.set_model(model);
    for (const std::string& text : texts) request.add_inputs()->set_text(text);
    return request;
  }

  template <class Request, class Response>
  struct PendingOf {
    Request request;
    Response response;
    std::shared_ptr<Operation> call;
    Mutex mutex;
    CondVar changed;
    int times ABSL_GUARDED_BY(mutex) = 0;
    absl::Status status ABSL_GUARDED_BY(mutex);

    absl::Status Await() {
      MutexLock lock(mutex);
      while (times == 0) changed.Wait(mutex);
      return status;
    }
    int Times() {
      MutexLock lock(mutex);
      return times;
    }
  };

  using Pending = PendingOf<v1::ClassifyRequest, v1::ClassifyResponse>;

  template <class Response = v1::ClassifyResponse, class Request>
  std::unique_ptr<PendingOf<Request, Response>> Start(Request request,
                                                      batcher::TimePoint deadline = batcher::TimePoint::max()) {
    auto pending = std::make_unique<PendingOf<Request, Response>>();
    pending->request = std::move(request);
    auto* const p = pending.get();
    pending->call = inference.Start(p->request, p->response, deadline, [p](const absl::Status& status) {
      MutexLock lock(p->mutex);
      p->times += 1;
      p->status = Unshared(status);
      p->changed.NotifyAll();
    });
    return pending;
  }

  /// A call of any task; waits for its end.
  template <class Request, class Response>
  absl::Status Do(Request request, Response* response) {
    auto pending = Start<Response>(std::move(request));
    const absl::Status status = pending->Await();
    *response = pending->response;
    return status;
  }
  absl::Status Classify(v1::ClassifyRequest request, v1::ClassifyResponse* response = nullptr) {
    auto pending = Start(std::move(request));
    absl::Status status = pending->Await();
    if (response) *response = pending->response;
    return status;
  }

  batcher::FakeClock clock;
  ModelTable table;
  batcher::Dispatcher dispatcher;
  WorkPool pool;
  Inference inference;
};

}  // namespace bertha::server

#endif  // BERTHA_TESTS_SERVER_FIXTURE_H_
