// A Classifier over a fake tokenizer and a fake encoder: everything of a call but the wire and the model.
#ifndef BERTHA_TESTS_SERVER_FIXTURE_H_
#define BERTHA_TESTS_SERVER_FIXTURE_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/classify_call.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

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

struct ClassifierFixture {
  explicit ClassifierFixture(batcher::QueueOptions queue = {}, CallLimits limits = {}, std::string default_model = "")
      : table(std::move(default_model)),
        dispatcher({.queue = queue, .workers = 1}, &clock),
        pool(1, 4),
        classifier(table, dispatcher, pool, clock, limits) {}

  /// The fake's row is {sum of ids, number of tokens}.
  batcher::FakeEncoder* AddModel(const std::string& name, int64_t version = 1,
                                 models::ProblemType type = models::ProblemType::kSingleLabel, bool pairs = true) {
    auto encoder = std::make_unique<batcher::FakeEncoder>();
    batcher::FakeEncoder* raw = encoder.get();
    std::vector<std::unique_ptr<batcher::Encoder>> replicas;
    replicas.push_back(std::move(encoder));
    auto model = std::make_shared<ServingModel>();
    model->key = {name, version};
    model->manifest.task = models::Task::kSequenceClassification;
    model->manifest.problem_type = type;
    model->manifest.labels = {"sum", "count"};
    model->manifest.max_length = 10;
    model->manifest.accepts_pairs = pairs;
    model->tokenizer = std::make_unique<ByteTokenizer>();
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

  struct Pending {
    v1::ClassifyRequest request;
    v1::ClassifyResponse response;
    std::shared_ptr<ClassifyCall> call;
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

  std::unique_ptr<Pending> Start(v1::ClassifyRequest request, batcher::TimePoint deadline = batcher::TimePoint::max()) {
    auto pending = std::make_unique<Pending>();
    pending->request = std::move(request);
    Pending* p = pending.get();
    pending->call = classifier.Start(p->request, p->response, deadline, [p](const absl::Status& status) {
      MutexLock lock(p->mutex);
      p->times += 1;
      p->status = status;
      p->changed.NotifyAll();
    });
    return pending;
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
  Classifier classifier;
};

/// Matches a status by code and by a part of its message.
inline bool Is(const absl::Status& status, absl::StatusCode code, const std::string& part) {
  INFO(status.ToString());
  const bool matches = status.code() == code && std::string(status.message()).find(part) != std::string::npos;
  if (!matches) UNSCOPED_INFO("got " << status.ToString() << ", expected \"" << part << "\"");
  return matches;
}

}  // namespace bertha::server

#endif  // BERTHA_TESTS_SERVER_FIXTURE_H_
