using System.Globalization;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using TaskService.Tests.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Projects;

/// <summary>
/// The same requests, made at random, go to the service on every engine, one after the other, and are answered alike.
/// <c>TASKSERVICE_TEST_SEED</c> runs one sequence again.
/// </summary>
public sealed partial class ProjectLockStepTests
{
    private const int RequestsOfSequence = 600;

    private static readonly string[] Projects =
    [
        """{"name":"Garden"}""", """{"name":"'; --","archived":true}""", """{"name":"ž\ud83d\ude00","created":1}""",
        """{"name":"","archived":1}""", """{"archived":false}""", """{"archived":null}""",
        """{"name":"x","name":"y"}""",
    ];

    private static readonly string[] Milestones =
    [
        """{"title":"Sow"}""", """{"title":"Reap","done":true,"due_date":1.5}""", """{"done":true}""",
        """{"title":"e\u0301","due_date":-62135596800}""", """{"title":"Z","due_date":253402300799.999}""",
        """{"due_date":null,"done":null}""", """{"title":"a","due_date":253402300800}""", "[]",
    ];

    private static readonly string[] Queries =
    [
        "", "?archived=true", "?archived=false", "?limit=2", "?limit=1&archived=true", "?done=true", "?done=false",
        "?due_before=1.5", "?due_before=0&done=false", "?after=02", "?after=zz", "?done=maybe", "?archived=maybe",
    ];

    [Fact]
    public async Task Every_engine_answers_every_request_alike()
    {
        var given = Environment.GetEnvironmentVariable("TASKSERVICE_TEST_SEED");
        for (var left = given is null ? TestRoot.Scale(1, 40) : 1; left > 0; left--)
        {
            var seed = given is null ? Random.Shared.Next() : int.Parse(given, CultureInfo.InvariantCulture);
            var difference = await RunAsync(seed);
            Assert.True(difference is null, $"TASKSERVICE_TEST_SEED={seed}{difference}");
        }
    }

    /// <returns>The first difference; null when there is none.</returns>
    private async Task<string?> RunAsync(int seed)
    {
        var time = new FixedTime();
        var storages = TestEngine.Names.Select(row => new TestEngine(row.Data)).ToList();
        var engines = await Task.WhenAll(storages.Select(
            async storage => new Engine(await RunningProjects.StartAsync(storage.Configuration, time))));
        try
        {
            var random = new Random(seed);
            var statuses = new HashSet<string>();
            for (var number = 0; number < RequestsOfSequence; number++)
            {
                var request = Next(random, engines[0]);
                var answers = await Task.WhenAll(engines.Select(engine => engine.SendAsync(request)));
                var at = Array.FindIndex(answers, answer => answer != answers[0]);
                if (at >= 0)
                {
                    return $", request {number}: {request}\n\n{storages[at].Configuration}\n{answers[at]}\n\n"
                        + $"{storages[0].Configuration}\n{answers[0]}";
                }
                statuses.Add(answers[0][..3]);
            }
            string[] expected = ["200", "201", "204", "304", "400", "404", "409", "412", "422"];
            Assert.Empty(expected.Except(statuses));
            return null;
        }
        finally
        {
            await Task.WhenAll(engines.Select(engine => engine.DisposeAsync().AsTask()));
            storages.ForEach(storage => storage.Dispose());
        }
    }

    /// <summary>A request, in which {p1} is the path of the second project that was created, {m1} of a milestone, {i1}
    /// the id of a milestone, and {tag} the tag that the path had when it was last read.</summary>
    private static Request Next(Random random, Engine engine)
    {
        var project = Of('p', engine.Projects.Count) ?? "/projects/none";
        var path = random.Next(8) switch
        {
            0 or 1 => "/projects",
            2 or 3 => project,
            4 or 5 => $"{project}/milestones",
            6 => Of('m', engine.Milestones.Count) ?? project,
            _ => $"{project}/milestones/{Of('i', engine.Milestones.Count) ?? "none"}",
        };
        var isList = path.EndsWith('s');
        var method = Any(isList ? ["GET", "HEAD", "POST", "POST"] : ["GET", "HEAD", "PUT", "PATCH", "DELETE"]);
        var query = isList && method is "GET" or "HEAD" ? Any(Queries) : "";
        var body = method is "POST" or "PUT" or "PATCH"
            ? Any(path.Contains('m', StringComparison.Ordinal) ? Milestones : Projects) : null;
        (string, string)? header = random.Next(2) switch
        {
            0 when method == "POST" => ("Idempotency-Key", Any(["k", "k", "\"k\"", "a b"])),
            0 => (Any(["If-Match", "If-None-Match"]), Any(["{tag}", "{tag}", "*", "\"x\""])),
            _ => null,
        };
        return new Request(method, path + query, body, header);

        string Any(string[] items) => items[random.Next(items.Length)];

        // More often one of the last.
        string? Of(char kind, int count) =>
            count == 0 ? null : $"{{{kind}{count - 1 - (random.Next(count) * random.Next(count) / count)}}}";
    }

    private sealed record Request(string Method, string Path, string? Body, (string Name, string Value)? Header);

    /// <summary>The service on an engine. Each id and tag is replaced by a number, in the order in which they come.
    /// </summary>
    private sealed class Engine(RunningService service) : IAsyncDisposable
    {
        private readonly Dictionary<string, string> numbers = new(StringComparer.Ordinal);
        private readonly Dictionary<string, string> tags = new(StringComparer.Ordinal);

        public List<string> Projects { get; } = [];

        public List<string> Milestones { get; } = [];

        public async Task<string> SendAsync(Request request)
        {
            using var content = request.Body is null ? null : RunningService.Json(request.Body);
            if (request.Method == "PATCH")
            {
                content!.Headers.ContentType = new MediaTypeHeaderValue("application/merge-patch+json");
            }
            var path = Filled(request.Path);
            var known = tags.GetValueOrDefault(path, "\"none\"");
            (string, string)[] header = request.Header is { } one
                ? [(one.Name, one.Value.Replace("{tag}", known, StringComparison.Ordinal))] : [];
            using var response = await service.SendAsync(
                request.Method, path, content, [("X-Request-ID", "r"), .. header]);
            if (response.Headers.Location?.OriginalString is { } location)
            {
                (location.Contains("/milestones/", StringComparison.Ordinal) ? Milestones : Projects).Add(location);
            }
            if (response.Headers.ETag is { } tag)
            {
                tags[response.Headers.Location?.OriginalString ?? path] = tag.Tag;
            }
            var headers = response.Headers.Concat(response.Content.Headers)
                // Where reads may go to a replica, a change has a position.
                .Where(header => header.Key is not ("Date" or "X-Read-After"))
                .OrderBy(header => header.Key, StringComparer.Ordinal)
                .Select(header => $"{header.Key}: {string.Join(", ", header.Value)}");
            var text = $"{(int)response.StatusCode}\n{string.Join('\n', headers)}\n"
                + await response.Content.ReadAsStringAsync();
            return Hash().Replace(text, hash =>
            {
                numbers.TryAdd(hash.Value, $"<{numbers.Count}>");
                return numbers[hash.Value];
            });
        }

        public ValueTask DisposeAsync() => service.DisposeAsync();

        private string Filled(string text) => Placeholder().Replace(text, place =>
        {
            var at = int.Parse(place.Groups["at"].ValueSpan, CultureInfo.InvariantCulture);
            return place.Groups["kind"].Value switch
            {
                "p" => Projects[at],
                "m" => Milestones[at],
                _ => Milestones[at].Split('/')[^1],
            };
        });
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(1_795_726_800.25);
    }

    [GeneratedRegex("[0-9a-f]{32}")]
    private static partial Regex Hash();

    [GeneratedRegex(@"\{(?<kind>[pmi])(?<at>\d+)\}")]
    private static partial Regex Placeholder();
}
