using System.Globalization;
using TaskService.Domain;

namespace TaskService.Tests.Storage;

/// <summary>What an answer must be.</summary>
/// <param name="Status">Of HTTP.</param>
internal sealed record LockStepExpectation(int Status)
{
    /// <summary>What a task is read as.</summary>
    public TaskEntry? Task { get; init; }

    /// <summary>The version in the tag; null when nothing is said of it.</summary>
    public ContentVersion? Version { get; init; }

    /// <summary>What a list holds, in this order, by the numbers of the requests that made it.</summary>
    public IReadOnlyList<KeyValuePair<int, TaskEntry>>? Tasks { get; init; }

    /// <summary>Whether there is a page behind this one.</summary>
    public bool HasMore { get; init; }

    /// <summary>The task that was made, by the number of the request that did.</summary>
    public int? Made { get; init; }
}

/// <summary>What must be there, in the simplest way: one request at a time, in memory, no ids.</summary>
internal sealed class LockStepModel
{
    private const int LimitItemsMax = 10_000;

    private readonly SortedDictionary<int, TaskEntry> tasks = [];
    private readonly Dictionary<string, (string Body, int Number, TaskEntry Made)> keys = new(StringComparer.Ordinal);

    // What a request that was made again by its key stands for.
    private readonly Dictionary<int, int> makers = [];
    private readonly Dictionary<int, IReadOnlyList<KeyValuePair<int, TaskEntry>>> tagged = [];

    public IReadOnlyDictionary<int, TaskEntry> Tasks => tasks;

    /// <summary>The requests that made a task, or were told of one.</summary>
    public IReadOnlyCollection<int> Makers => makers.Keys;

    /// <summary>Does what the request asks for.</summary>
    public LockStepExpectation Apply(LockStepRequest request)
    {
        if (!request.IsKnown)
        {
            return new LockStepExpectation(404);
        }
        return request.Method switch
        {
            "OPTIONS" => new LockStepExpectation(204),
            "GET" or "HEAD" => request.IsList ? List(request) : Read(request),
            "POST" when request.IsList => Create(request),
            "PUT" or "PATCH" or "DELETE" when !request.IsList => Change(request),
            _ => new LockStepExpectation(405),
        };
    }

    /// <summary>Hears that a list came with a tag, by which it can be asked for later.</summary>
    public void Tag(int number, IReadOnlyList<KeyValuePair<int, TaskEntry>> list) => tagged[number] = list;

    private static int? StatusOfBody(LockStepRequest request) => request switch
    {
        { ContentType: "text/plain" } => 415,
        { ContentType: "application/merge-patch+json", Method: not "PATCH" } => 415,
        { Body: { Change: null } body } => body.Status,
        _ => null,
    };

    private static string? KeyIn(string header)
    {
        var key = header is ['"', .., '"'] ? header[1..^1] : header;
        if (key.StartsWith('"') || key.EndsWith('"'))
        {
            return null;
        }
        return key.Length is >= 1 and <= 255 && key.All(c => c is > ' ' and <= '~') ? key : null;
    }

    private TaskEntry? Find(LockStepRequest request) =>
        request is { Of: { } of, IsExact: true } && makers.TryGetValue(of, out var maker)
            ? tasks.GetValueOrDefault(maker) : null;

    private LockStepExpectation Create(LockStepRequest request)
    {
        if (StatusOfBody(request) is { } status)
        {
            return new LockStepExpectation(status);
        }
        var key = request.Key is null ? null : KeyIn(request.Key);
        if (request.Key is not null && key is null)
        {
            return new LockStepExpectation(400);
        }
        if (key is not null && keys.TryGetValue(key, out var known))
        {
            if (known.Body != request.Body!.Text)
            {
                return new LockStepExpectation(422);
            }
            makers[request.Number] = known.Number;
            return Made(known.Number, known.Made);
        }
        var task = request.Body!.Change!(new TaskEntry { Title = "-" });
        tasks[request.Number] = task;
        makers[request.Number] = request.Number;
        if (key is not null)
        {
            keys[key] = (request.Body.Text, request.Number, task);
        }
        return Made(request.Number, task);
    }

    private static LockStepExpectation Made(int number, TaskEntry task) =>
        new(201) { Made = number, Version = task.ComputeVersion() };

    private LockStepExpectation Change(LockStepRequest request)
    {
        if (request.Method != "DELETE" && StatusOfBody(request) is { } status)
        {
            return new LockStepExpectation(status);
        }
        if (Find(request) is not { } task)
        {
            return new LockStepExpectation(404);
        }
        var tag = task.ComputeVersion().ToString();
        if (request.Conditions.Any(condition => !condition.AllowsChange(condition.Tag == tag)))
        {
            return new LockStepExpectation(412);
        }
        var maker = makers[request.Of!.Value];
        if (request.Method == "DELETE")
        {
            tasks.Remove(maker);
        }
        else
        {
            tasks[maker] = request.Body!.Change!(request.Method == "PUT" ? new TaskEntry { Title = "-" } : task);
        }
        return new LockStepExpectation(204);
    }

    private LockStepExpectation Read(LockStepRequest request)
    {
        if (Find(request) is not { } task)
        {
            return new LockStepExpectation(404);
        }
        var version = task.ComputeVersion();
        var status = StatusOfRead(request, condition => condition.Tag == version.ToString());
        return new LockStepExpectation(status)
        {
            Task = status == 200 ? task : null,
            Version = status is 200 or 304 ? version : null,
        };
    }

    private LockStepExpectation List(LockStepRequest request)
    {
        var isRepeated = request.Query.GroupBy(item => item.Name).Any(group => group.Count() > 1);
        if (isRepeated || request.Query.Any(item => !item.IsRight))
        {
            return new LockStepExpectation(400);
        }
        var all = tasks.Where(task => request.Query.All(item => Lets(item, task))).ToList();
        var limit = request.Query.FirstOrDefault(item => item.Name == "limit")?.Value;
        var page = limit is null ? all : [.. all.Take(LimitOf(limit))];
        var status = StatusOfRead(
            request, condition => tagged.GetValueOrDefault(condition.OfList ?? 0)?.SequenceEqual(page) == true);
        return new LockStepExpectation(status)
        {
            Tasks = status == 200 ? page : null,
            HasMore = page.Count < all.Count,
        };
    }

    private static int LimitOf(string limit) =>
        (int)Math.Min(double.Parse(limit, CultureInfo.InvariantCulture), LimitItemsMax);

    private bool Lets(LockStepParameter parameter, KeyValuePair<int, TaskEntry> task) => parameter.Name switch
    {
        "completed" => task.Value.Completed == (parameter.Value == "true"),
        "priority" => $"{task.Value.Priority}".Equals(parameter.Value, StringComparison.OrdinalIgnoreCase),
        "due_before" => IsDueBefore(task.Value, double.Parse(parameter.Value, CultureInfo.InvariantCulture)),
        "after" when parameter.Of is { } of => makers.TryGetValue(of, out var maker) && task.Key > maker,
        // The ids of these years begin with 01.
        "after" => string.CompareOrdinal(parameter.Value, "01") < 0,
        _ => true,
    };

    private static bool IsDueBefore(TaskEntry task, double bound) => task.DueDate is { } due
        && (bound >= UnixSeconds.MaxExclusive || (UnixSeconds.ToTime(bound) is { } time && due < time));

    private static int StatusOfRead(LockStepRequest request, Func<LockStepCondition, bool> isSame) =>
        request.Accept == "text/html" ? 406
        : request.Conditions.Any(condition => condition.IsMatch && !condition.Names(isSame(condition))) ? 412
        : request.Conditions.Any(condition => !condition.IsMatch && condition.Names(isSame(condition))) ? 304
        : 200;
}
