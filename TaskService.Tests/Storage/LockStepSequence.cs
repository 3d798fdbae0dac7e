using TaskService.Domain;

namespace TaskService.Tests.Storage;

/// <summary>
/// Makes requests at random, always the same ones of a seed. It follows the model, so that most of them are about
/// something that is there or was.
/// </summary>
internal sealed class LockStepSequence
{
    private static readonly string[] OddPaths =
        ["zzz", "-", "0", new string('a', 64), new string('a', 65), "a_b", "a%20b", "a'b", "a.json", "~", "é"];

    private static readonly string[] Keys =
        ["k", "K", "k1", "k%", "k_", "k'", "k\\", "a/b", "../k", "\"k\"", "k\"k", "{}", new string('k', 255)];

    private static readonly string[] WrongKeys = ["", "\"\"", "\"", "\"k", "k\"", "a b", new string('k', 256)];
    private static readonly string[] Limits = ["1", "2", "3", "31", "32", "33", "10000", "10001", "99999999999", "007"];
    private static readonly string[] AfterTexts = ["zzz", "-", "0", "A", "00", "02"];

    private static readonly LockStepParameter[] Others =
    [
        new("limit", "0", IsRight: false), new("limit", "-1", IsRight: false), new("limit", "x", IsRight: false),
        new("limit", "", IsRight: false), new("after", "a_b", IsRight: false), new("after", "", IsRight: false),
        new("completed", "1", IsRight: false), new("completed", "True", IsRight: false),
        new("priority", "High", IsRight: false), new("priority", "'; --", IsRight: false),
        new("due_before", "NaN", IsRight: false), new("due_before", "tomorrow", IsRight: false),
        new("due_before", "1e999", IsRight: false),
        new("unknown", "%"), new("Completed", "maybe"), new("title", "t"),
    ];

    private readonly Random random;
    private readonly LockStepBodies bodies;
    private readonly LockStepModel model = new();
    private readonly Dictionary<int, List<string>> versions = [];
    private readonly List<int> lists = [];
    private readonly List<LockStepBody> keyed = [];

    private LockStepSequence(int seed)
    {
        random = new Random(seed);
        bodies = new LockStepBodies(random);
    }

    public static List<LockStepRequest> Make(int seed, int count, int restarts)
    {
        var sequence = new LockStepSequence(seed);
        var requests = Enumerable.Range(1, count).Select(sequence.Next).ToList();
        foreach (var _ in Enumerable.Range(0, restarts))
        {
            var at = sequence.random.Next(count / 4, requests.Count);
            requests.Insert(at, new LockStepRequest(0, LockStepRequest.Restart, ""));
        }
        return requests;
    }

    private LockStepRequest Next(int number)
    {
        var request = random.Next(100) switch
        {
            < 34 => Create(number),
            < 44 => Task(number, "PUT") with { Body = bodies.Task() },
            < 55 => Task(number, "PATCH") with { Body = bodies.Patch(), ContentType = PatchType() },
            < 62 => Task(number, "DELETE"),
            < 72 => Read(Task(number, random.Next(3) == 0 ? "HEAD" : "GET")),
            < 96 => List(number),
            _ => Foreign(number),
        };
        if (request.Body is not null && request.ContentType is null)
        {
            request = request with
            {
                ContentType = random.Next(25) == 0 ? "text/plain" : random.Next(4) == 0 ? null : "application/json",
                IsGzip = random.Next(8) == 0,
            };
        }
        model.Apply(request);
        foreach (var (maker, task) in model.Tasks)
        {
            var seen = versions.TryGetValue(maker, out var known) ? known : versions[maker] = [];
            var version = task.ComputeVersion().ToString();
            if (seen.LastOrDefault() != version)
            {
                seen.Add(version);
            }
        }
        return request;
    }

    private string? PatchType() => random.Next(2) == 0 ? "application/merge-patch+json" : null;

    private LockStepRequest Create(int number)
    {
        var body = bodies.Task();
        var request = new LockStepRequest(number, "POST", SlashOrNot("/tasks"));
        if (random.Next(3) > 0)
        {
            return request with { Body = body };
        }
        // Mostly with a key that was used before, and half of these with a body that was.
        body = keyed.Count > 0 && random.Next(2) == 0 ? Any(keyed) : body;
        keyed.Add(body);
        return request with { Body = body, Key = random.Next(12) == 0 ? Any(WrongKeys) : Any(Keys) };
    }

    /// <summary>About a task that is there, was, or never was.</summary>
    private LockStepRequest Task(int number, string method)
    {
        if (model.Makers.Count == 0 || random.Next(10) == 0)
        {
            var odd = Any(OddPaths);
            return new LockStepRequest(number, method, SlashOrNot($"/tasks/{odd}"))
            {
                IsKnown = IdGenerator.IsValid(odd),
            };
        }
        var of = random.Next(6) == 0 || model.Tasks.Count == 0 ? Any([.. model.Makers]) : Any([.. model.Tasks.Keys]);
        var path = random.Next(20) == 0 ? $"/tasks/{LockStepRequest.Id}0" : SlashOrNot($"/tasks/{LockStepRequest.Id}");
        var request = new LockStepRequest(number, method, path) { Of = of };
        return request with { Conditions = [.. Conditions(() => Tag(of))] };
    }

    private LockStepRequest List(int number)
    {
        var method = random.Next(5) == 0 ? "HEAD" : "GET";
        var query = random.Next(4) == 0 ? [] : Parameters().ToArray();
        random.Shuffle(query);
        var request = new LockStepRequest(number, method, SlashOrNot("/tasks"))
        {
            Query = query,
            Conditions = [.. Conditions(() => "none", lists.Count == 0 ? null : Any(lists.TakeLast(8).ToList()))],
        };
        lists.Add(number);
        return Read(request);
    }

    private IEnumerable<LockStepParameter> Parameters()
    {
        if (random.Next(2) == 0)
        {
            yield return new LockStepParameter("limit", Any(Limits));
        }
        if (random.Next(3) == 0)
        {
            yield return model.Makers.Count == 0 || random.Next(4) == 0
                ? new LockStepParameter("after", Any(AfterTexts))
                : new LockStepParameter("after", "", Of: Any([.. model.Makers]));
        }
        if (random.Next(3) == 0)
        {
            yield return new LockStepParameter("completed", random.Next(2) == 0 ? "true" : "false");
        }
        if (random.Next(3) == 0)
        {
            yield return new LockStepParameter("priority", Any(LockStepBodies.Priorities));
        }
        if (random.Next(2) == 0)
        {
            yield return new LockStepParameter("due_before", bodies.Bound());
        }
        if (random.Next(8) == 0)
        {
            yield return Any(Others);
        }
    }

    private LockStepRequest Read(LockStepRequest request) => request with
    {
        Accept = random.Next(20) == 0 ? "text/html" : random.Next(4) == 0 ? "application/json, */*;q=0.1" : null,
        AcceptEncoding = random.Next(4) == 0 ? Any(["gzip", "br", "br;q=0.5, gzip"]) : null,
    };

    /// <summary>What the resource does not take, and what there is no resource for.</summary>
    private LockStepRequest Foreign(int number) => random.Next(4) switch
    {
        0 => new LockStepRequest(number, Any(["PUT", "DELETE", "PATCH", "OPTIONS"]), SlashOrNot("/tasks")),
        1 => new LockStepRequest(number, Any(["POST", "OPTIONS"]), "/tasks/zzz"),
        2 => new LockStepRequest(number, Any(["GET", "POST", "DELETE"]), "/tasks//") { IsKnown = false },
        _ => new LockStepRequest(number, Any(["GET", "PUT"]), "/Tasks") { IsKnown = false },
    };

    private IEnumerable<LockStepCondition> Conditions(Func<string> tag, int? list = null)
    {
        foreach (var header in new[] { "If-Match", "If-None-Match" })
        {
            if (random.Next(5) == 0)
            {
                yield return new LockStepCondition(header, Any(Enum.GetValues<LockStepForm>()), tag(), list);
            }
        }
    }

    /// <summary>Of a task: mostly what it is now.</summary>
    private string Tag(int of)
    {
        // A request that was made again by its key has no versions of its own.
        var own = versions.GetValueOrDefault(of);
        return own is null || random.Next(8) == 0 ? Any(versions.Values.ToList())[^1]
            : random.Next(3) == 0 ? Any(own)
            : own[^1];
    }

    private string SlashOrNot(string path) => random.Next(10) == 0 ? $"{path}/" : path;

    private T Any<T>(IReadOnlyList<T> items) => items[random.Next(items.Count)];
}
