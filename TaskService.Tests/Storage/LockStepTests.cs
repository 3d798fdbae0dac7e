using System.Globalization;
using System.Text.Json;
using TaskService.Domain;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>
/// The same requests, made at random, go to the service on every engine, one after the other, and to a model. Each
/// answer is the same everywhere, and what the model says. <c>TASKSERVICE_TEST_SEED</c> runs one sequence again.
/// </summary>
[Trait("Suite", "long")]
public sealed class LockStepTests
{
    private const int RequestsOfSequence = 400;
    private const int ShrinkRunsMax = 250;
    private const string SkipPrefix = "$XunitDynamicSkip$";

    // Why an engine cannot be tested on this machine.
    private Exception? skipped;
    private int runs;

    [Fact]
    public async Task Every_engine_responds_to_every_request_as_the_model_does()
    {
        var given = Environment.GetEnvironmentVariable("TASKSERVICE_TEST_SEED");
        for (var left = given is null ? TestRoot.Scale(1, 40) : 1; left > 0; left--)
        {
            var seed = given is null ? Random.Shared.Next() : int.Parse(given, CultureInfo.InvariantCulture);
            var requests = LockStepSequence.Make(seed, RequestsOfSequence, restarts: 2);
            if (await RunAsync(requests) is { } difference)
            {
                Assert.Fail($"TASKSERVICE_TEST_SEED={seed}\n{await ShrinkAsync(requests, difference)}");
            }
        }
        // The others were compared.
        Assert.SkipWhen(skipped is not null, $"{skipped?.Message[SkipPrefix.Length..]}");
    }

    /// <summary>Leaves out what the difference does not need.</summary>
    private async Task<string> ShrinkAsync(List<LockStepRequest> requests, Difference difference)
    {
        requests = requests[..(difference.At + 1)];
        var runsMax = runs + ShrinkRunsMax;
        for (var size = requests.Count / 2; size > 0; size /= 2)
        {
            for (var at = 0; at + size < requests.Count && runs < runsMax;)
            {
                List<LockStepRequest> fewer = [.. requests[..at], .. requests[(at + size)..]];
                if (await RunAsync(fewer) is { } still)
                {
                    (requests, difference) = (fewer[..(still.At + 1)], still);
                }
                else
                {
                    at += size;
                }
            }
        }
        return $"{string.Join('\n', requests)}\n\n{difference.Text}";
    }

    /// <returns>The first difference; null when there is none.</returns>
    private async Task<Difference?> RunAsync(IReadOnlyList<LockStepRequest> requests)
    {
        runs++;
        var storages = TestEngine.Names.Select(name => (Name: name.Data, Engine: new TestEngine(name.Data))).ToList();
        var engines = new List<LockStepEngine>();
        foreach (var (name, storage) in storages)
        {
            try
            {
                engines.Add(new LockStepEngine(name, storage.Configuration, storage.IsDurable));
            }
            catch (Exception skip) when (skip.Message.StartsWith(SkipPrefix, StringComparison.Ordinal))
            {
                skipped = skip;
            }
        }
        await Task.WhenAll(engines.Select(engine => engine.StartAsync()));
        try
        {
            return await CompareAsync(engines, requests);
        }
        finally
        {
            foreach (var engine in engines)
            {
                await engine.DisposeAsync();
            }
            storages.ForEach(storage => storage.Engine.Dispose());
        }
    }

    private static async Task<Difference?> CompareAsync(
        List<LockStepEngine> engines, IReadOnlyList<LockStepRequest> requests)
    {
        var model = new LockStepModel();
        foreach (var (at, request) in requests.Index())
        {
            if (request.Method == LockStepRequest.Restart)
            {
                await Task.WhenAll(engines.Select(engine => engine.RestartAsync()));
                continue;
            }
            var expected = model.Apply(request);
            var answers = await Task.WhenAll(engines.Select(engine => AskAsync(engine, request, expected)));
            if (answers.FirstOrDefault(answer => answer.Problem is not null) is { Problem: not null } wrong)
            {
                return new Difference(at, $"{wrong.Engine}: {wrong.Problem}");
            }
            if (answers.FirstOrDefault(answer => answer.Answer != answers[0].Answer) is { Engine: not null } other)
            {
                return new Difference(
                    at, $"{other.Engine} answers {other.Answer}\n\n{answers[0].Engine} {answers[0].Answer}");
            }
            if (expected.Tasks is { } tasks && answers[0].Answer!.Tag is not null)
            {
                model.Tag(request.Number, tasks);
            }
        }
        return null;
    }

    private static async Task<(string Engine, LockStepAnswer? Answer, string? Problem)> AskAsync(
        LockStepEngine engine, LockStepRequest request, LockStepExpectation expected)
    {
        try
        {
            var answer = await engine.SendAsync(request);
            var problem = ProblemOf(request, expected, answer);
            var text = problem is null ? null : $"{problem}, where {expected.Status} is right: {answer}";
            return (engine.Name, answer, text);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or Xunit.Sdk.XunitException)
        {
            // A connection that ends within an answer, or an answer that is not documented.
            return (engine.Name, null, error.Message);
        }
    }

    /// <returns>What is not as the model says; null when all is.</returns>
    private static string? ProblemOf(LockStepRequest request, LockStepExpectation expected, LockStepAnswer answer)
    {
        if (answer.Status != expected.Status)
        {
            return "another status";
        }
        if (answer.Made != expected.Made)
        {
            return $"the task of <{answer.Made}>, not of <{expected.Made}>";
        }
        if (expected.Version is { } version && answer.Tag != $"{version}")
        {
            return $"the tag {answer.Tag}, not {version}";
        }
        if (expected.Tasks is not null && answer.HasMore != expected.HasMore)
        {
            return answer.HasMore ? "a link" : "no link";
        }
        if (request.Method == "HEAD" || (expected.Tasks is null && expected.Task is null))
        {
            return null;
        }
        using var body = JsonDocument.Parse(answer.Body);
        return expected.Task is { } task ? ProblemOf("it", task, body.RootElement)
            : ProblemOf(expected.Tasks!, [.. body.RootElement.EnumerateObject()]);
    }

    private static string? ProblemOf(IReadOnlyList<KeyValuePair<int, TaskEntry>> expected, List<JsonProperty> found)
    {
        var names = expected.Select(task => $"<{task.Key}>");
        var others = found.Select(task => task.Name);
        return names.SequenceEqual(others)
            ? expected.Zip(found).Select(pair => ProblemOf($"<{pair.First.Key}>", pair.First.Value, pair.Second.Value))
                .FirstOrDefault(problem => problem is not null)
            : $"the list {string.Join(' ', others)} instead of {string.Join(' ', names)}";
    }

    private static string? ProblemOf(string name, TaskEntry expected, JsonElement found)
    {
        var task = new Dictionary<string, object?>
        {
            ["priority"] = $"{expected.Priority}".ToLowerInvariant(),
            ["title"] = expected.Title,
            ["description"] = expected.Description,
            ["completed"] = expected.Completed,
            ["due_date"] = expected.DueDate,
        };
        var members = found.EnumerateObject().ToDictionary(member => member.Name, member => ValueOf(member.Value));
        var wrong = task.Where(member => !Equals(member.Value, members.GetValueOrDefault(member.Key)))
            .Select(member => member.Key).Concat(members.Keys.Except(task.Keys)).ToList();
        return wrong.Count == 0 ? null : $"{name} with another {string.Join(" and ", wrong)}";
    }

    private static object? ValueOf(JsonElement member) => member.ValueKind switch
    {
        JsonValueKind.String => member.GetString(),
        JsonValueKind.Number => UnixSeconds.ToTime(member.GetDouble()),
        _ => member.GetBoolean(),
    };

    private sealed record Difference(int At, string Text);
}
