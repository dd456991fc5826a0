// exec: what a program says, that is run for each probe without rights (process.hpp).
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <optional>

#include "check.hpp"
#include "nfsteer/base/text.hpp"
#include "options.hpp"
#include "process.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kOutputMax = 4'096;  // of output and errors together; more is thrown away
constexpr std::size_t kLineMax = 120;      // of the line that is the reason
constexpr const char* kUnprivileged = "nobody";  // of root, where the check does not say

// ---- users ----------------------------------------------------------------------

std::optional<Identity> find_user(const std::string& name) {
  constexpr std::size_t kBytesMax = 16 * 1024;
  std::array<char, kBytesMax> memory;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found) != 0 || !found)
    return std::nullopt;
  int count = 256;
  Identity identity{found->pw_uid, found->pw_gid, std::vector<gid_t>(256)};
  if (::getgrouplist(name.c_str(), found->pw_gid, identity.groups.data(), &count) < 0)
    count = 0;  // of so many none at all
  identity.groups.resize(static_cast<std::size_t>(count));
  return identity;
}

// Whom the command becomes; nullopt: nobody else.
Result<std::optional<Identity>> identity_for(const std::string& user) {
  const bool is_root = ::geteuid() == 0;
  if (user.empty() && !is_root) return std::nullopt;
  const std::string name = user.empty() ? kUnprivileged : user;
  const auto identity = find_user(name);
  if (!identity) return fail(format("there is no user `{}` on this machine", name));
  if (is_root) return identity;
  if (identity->user == ::geteuid()) return std::nullopt;
  return fail(format("to become user `{}` needs root, and the user is {}", name, ::geteuid()));
}

// ---- one run --------------------------------------------------------------------

// The program's output, as far as it is wanted.
class Output {
 public:
  explicit Output(asio::io_context& io) : reader_(io) {}

  // The end for the program to write to.
  Result<Fd> open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(std::strerror(errno));
    Fd reader(ends[0]), writer(ends[1]);
    error_code error;
    reader_.assign(reader.get(), error);
    if (error) return fail(error.message());
    reader.release();
    reader_.non_blocking(true, error);
    return writer;
  }

  asio::posix::stream_descriptor& reader() noexcept { return reader_; }
  auto buffer() noexcept { return asio::buffer(bytes_); }
  void keep(std::size_t count) {
    text_.append(bytes_.data(), std::min(count, kOutputMax - text_.size()));
  }

  // Keeps what is there.
  void drain() {
    error_code error;
    while (!error && text_.size() < kOutputMax) keep(reader_.read_some(buffer(), error));
  }

  std::string first_line() const {
    const std::string_view text = text_;
    return escape(text.substr(0, text.find('\n')), kLineMax);
  }

 private:
  asio::posix::stream_descriptor reader_;
  std::array<char, 16 * 1024> bytes_;
  std::string text_;
};

ProbeEnd judge(const ProcessEnd& end, const std::string& line) {
  if (end.by_signal) return {ProbeOutcome::Failed, format("killed by signal {}", end.number)};
  if (end.number == 0) return {ProbeOutcome::Passed, line.empty() ? "exit 0" : line};
  return {ProbeOutcome::Failed, format("exit {}{}{}", end.number, line.empty() ? "" : ": ", line)};
}

class ExecAttempt final : public Attempt {
 public:
  ExecAttempt(ProbeRoom& room, Command command, Done done)
      : Attempt(std::move(done)),
        children_(room.children),
        command_(std::move(command)),
        output_(room.io) {}

  void begin() override {
    auto writer = output_.open();
    if (!writer) return finish({ProbeOutcome::Skipped, writer.error().message});
    auto process = children_.start(command_, writer->get());
    if (!process)
      return finish(
          {ProbeOutcome::Skipped, format("{} cannot be run: {}", escape(command_.argv[0], kLineMax),
                                         process.error().message)});
    process_.emplace(*std::move(process));
    read();
    process_->descriptor().async_wait(asio::posix::stream_descriptor::wait_read,
                                      bound([this](const error_code&) {
                                        const ProcessEnd end = process_->take_end();
                                        output_.drain();
                                        finish(judge(end, output_.first_line()));
                                      }));
  }

 private:
  void read() {
    output_.reader().async_read_some(output_.buffer(),
                                     bound([this](const error_code& error, std::size_t count) {
                                       output_.keep(count);
                                       if (!error) read();
                                     }));
  }

  void close() override {
    process_.reset();
    error_code ignored;
    output_.reader().close(ignored);
  }

  Children& children_;
  const Command command_;
  Output output_;
  std::optional<Process> process_;
};

// ---- the kind -------------------------------------------------------------------

void replace_all(std::string& text, std::string_view name, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(name, at)) != text.npos; at += value.size())
    text.replace(at, name.size(), value);
}

class ExecCheck final : public Check {
 public:
  ExecCheck(std::vector<std::string> command, std::optional<Identity> identity)
      : command_(std::move(command)), identity_(std::move(identity)) {}

  std::unique_ptr<Probe> start(ProbeRoom& room, const CheckTarget& target,
                               Done done) const override {
    Command command{command_, identity_ ? &*identity_ : nullptr};
    for (std::size_t i = 1; i < command.argv.size(); ++i) {
      replace_all(command.argv[i], "{address}", to_string(target.address));
      replace_all(command.argv[i], "{port}", target.port == 0 ? "" : format("{}", target.port));
    }
    return launch<ExecAttempt>(room, std::move(command), std::move(done));
  }

 private:
  const std::vector<std::string> command_;
  const std::optional<Identity> identity_;
};

Result<std::shared_ptr<const Check>> make(const CheckConfig& config) {
  auto identity = identity_for(text_option(config, "user"));
  if (!identity) return tl::unexpected(std::move(identity.error()));
  return std::make_shared<ExecCheck>(list_option(config, "command"), *std::move(identity));
}

Result<void> check_argument(std::string_view text, std::size_t index) {
  if (text.find('\0') != text.npos) return fail("an argument of a command has no zero bytes");
  if (index > 0) return {};
  const std::string path(text);
  if (!path.starts_with('/'))
    return fail(
        format("`{}` is not the whole path of a program: no shell looks for it", printable(path)));
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) {
    if (errno == EACCES) return {};  // whoever runs it may see it
    return fail(format("there is no program `{}`: {}", printable(path), std::strerror(errno)));
  }
  constexpr mode_t kExecutable = S_IXUSR | S_IXGRP | S_IXOTH;
  if (!S_ISREG(file.st_mode) || (file.st_mode & kExecutable) == 0)
    return fail(format("`{}` is not an executable file", printable(path)));
  return {};
}

Result<void> check_user(std::string_view text, std::size_t) {
  const std::string name(text);
  const auto identity = name.find('\0') == name.npos ? find_user(name) : std::nullopt;
  if (!identity) return fail(format("there is no user `{}` on this machine", printable(text)));
  if (identity->user == 0)
    return fail("a command is not run as root, whose processes have no limit");
  return {};
}

constexpr CheckOption kOptions[] = {
    {.key = "command",
     .type = CheckOption::Type::List,
     .required = true,
     .expects = "a program and its arguments, such as [\"/usr/lib/checks/db\", \"{address}\"]",
     .check = check_argument},
    {.key = "user",
     .type = CheckOption::Type::Text,
     .expects = "the name of a user",
     .check = check_user},
};

}  // namespace

const CheckKind k_check_exec{
    .name = "exec",
    .summary = "a program ends with exit code 0",
    .port = CheckKind::Port::Used,
    .options = kOptions,
    .make = make,
};

std::optional<std::uint32_t> program_user(const CheckConfig& check) {
  if (check.kind != k_check_exec.name) return std::nullopt;
  const auto identity = identity_for(text_option(check, "user"));
  return identity && *identity ? (*identity)->user : ::geteuid();
}

}  // namespace nfsteer
