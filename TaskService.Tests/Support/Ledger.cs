using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace TaskService.Tests.Support;

/// <summary>
/// What writers know of their changes, outside the service: what was acknowledged, and what was tried last without an
/// answer. A task may only be found as one of the two.
/// </summary>
internal sealed class Ledger
{
    /// <summary>Of each task's description: enough for a file of more than one block.</summary>
    public static readonly string Padding = new('x', 5_000);

    private readonly ConcurrentDictionary<string, Known> tasks = new(StringComparer.Ordinal);
    // Creates without an answer: title to idempotency key.
    private readonly ConcurrentDictionary<string, string> unanswered = new(StringComparer.Ordinal);
    private int acknowledged;
    private int number;

    /// <summary>What a client can do. Null and false: there was no answer that says that it was done.</summary>
    public interface IClient
    {
        Task<string?> CreateAsync(string title, string key);

        Task<bool> UpdateAsync(string id, string title);

        Task<bool> DeleteAsync(string id);
    }

    /// <summary>Changes, in number.</summary>
    public int Acknowledged => acknowledged;

    /// <summary>Starts writers that each change tasks of their own until there is no answer.</summary>
    public Task WriteAsync(IClient client, int writers) =>
        Task.WhenAll(Enumerable.Range(0, writers).Select(
            _ => Task.Run(() => WriteAsync(client, CancellationToken.None))));

    /// <summary>Starts writers that go on when there is no answer, with tasks that are new.</summary>
    /// <param name="client">Of the service.</param>
    /// <param name="writers">How many.</param>
    /// <param name="enough">Ends them after the change that each is at.</param>
    public Task WriteOnAsync(IClient client, int writers, CancellationToken enough) =>
        Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(
            async () =>
            {
                while (!enough.IsCancellationRequested)
                {
                    await WriteAsync(client, enough);
                }
            },
            CancellationToken.None)));

    /// <summary>Compares what is there with what may be there, and takes it for known from now on.</summary>
    /// <param name="found">Title by id.</param>
    /// <returns>What is wrong: lost, changed without a reason, twice, or back from the dead.</returns>
    public List<string> Check(IReadOnlyDictionary<string, string> found)
    {
        var wrong = new List<string>();
        foreach (var (id, known) in tasks)
        {
            var title = found.GetValueOrDefault(id);
            if (!known.Allows(title))
            {
                wrong.Add($"{id} is {title ?? "not there"}, not {string.Join(" or ", known.Titles)}");
            }
            tasks[id] = new Known([title]);
        }
        foreach (var (id, title) in found.Where(task => !tasks.ContainsKey(task.Key)))
        {
            if (!unanswered.ContainsKey(title))
            {
                wrong.Add($"{id} is {title}, which nobody wrote, or which is there twice");
            }
        }
        wrong.AddRange(found.CountBy(task => task.Value).Where(title => title.Value > 1)
            .Select(title => $"{title.Key} is there {title.Value} times"));
        return wrong;
    }

    /// <summary>Sends again what had no answer.</summary>
    /// <param name="client">On the service after its restart.</param>
    /// <param name="found">What was there before.</param>
    /// <returns>Where a task was made a second time.</returns>
    public async Task<List<string>> RetryAsync(IClient client, IReadOnlyDictionary<string, string> found)
    {
        var wrong = new List<string>();
        foreach (var (title, key) in unanswered)
        {
            var id = await client.CreateAsync(title, key);
            Assert.NotNull(id);
            if (found.FirstOrDefault(task => task.Value == title).Key is { } first && first != id)
            {
                wrong.Add($"{title} was {first} and is made again as {id}");
            }
            tasks[id] = new Known([title]);
        }
        unanswered.Clear();
        return wrong;
    }

    private async Task WriteAsync(IClient client, CancellationToken enough)
    {
        var mine = new List<string>();
        while (!enough.IsCancellationRequested)
        {
            var title = $"t{Interlocked.Increment(ref number)}";
            var isDone = (mine.Count, Random.Shared.Next(10)) switch
            {
                (0, _) or (_, < 4) => await CreateAsync(client, title, mine),
                (_, < 8) => await UpdateAsync(client, mine[Random.Shared.Next(mine.Count)], title),
                _ => await DeleteAsync(client, mine),
            };
            if (!isDone)
            {
                return;
            }
            Interlocked.Increment(ref acknowledged);
        }
    }

    private async Task<bool> CreateAsync(IClient client, string title, List<string> mine)
    {
        unanswered[title] = $"key-{title}";
        if (await client.CreateAsync(title, unanswered[title]) is not { } id)
        {
            return false;
        }
        tasks[id] = new Known([title]);
        unanswered.Remove(title, out _);
        mine.Add(id);
        return true;
    }

    private async Task<bool> UpdateAsync(IClient client, string id, string title)
    {
        tasks[id] = new Known([.. tasks[id].Titles, title]);
        if (!await client.UpdateAsync(id, title))
        {
            return false;
        }
        tasks[id] = new Known([title]);
        return true;
    }

    private async Task<bool> DeleteAsync(IClient client, List<string> mine)
    {
        var id = mine[^1];
        mine.Remove(id);
        tasks[id] = new Known([.. tasks[id].Titles, null]);
        if (!await client.DeleteAsync(id))
        {
            return false;
        }
        tasks[id] = new Known([null]);
        return true;
    }

    /// <param name="Titles">Each that it may have; null when it may be gone.</param>
    private sealed record Known(string?[] Titles)
    {
        public bool Allows(string? title) => Titles.Contains(title);
    }
}

/// <summary>A client of the service over HTTP.</summary>
internal sealed class LedgerClient(HttpClient http) : Ledger.IClient
{
    private static Uri Tasks { get; } = new("/tasks", UriKind.Relative);

    public async Task<string?> CreateAsync(string title, string key)
    {
        using var answer = await SendAsync(HttpMethod.Post, Tasks, title, key);
        return answer?.StatusCode == HttpStatusCode.Created ? answer.Headers.Location!.OriginalString[7..] : null;
    }

    public async Task<bool> UpdateAsync(string id, string title)
    {
        using var answer = await SendAsync(HttpMethod.Put, PathOf(id), title);
        return answer is { IsSuccessStatusCode: true };
    }

    public async Task<bool> DeleteAsync(string id)
    {
        using var answer = await SendAsync(HttpMethod.Delete, PathOf(id));
        return answer is { IsSuccessStatusCode: true };
    }

    /// <returns>Title by id, of everything that is served.</returns>
    public async Task<Dictionary<string, string>> ListAsync()
    {
        using var list = JsonDocument.Parse(await http.GetStringAsync(Tasks));
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var task in list.RootElement.EnumerateObject())
        {
            Assert.Equal(Ledger.Padding, task.Value.GetProperty("description").GetString());
            found.Add(task.Name, task.Value.GetProperty("title").GetString()!);
        }
        return found;
    }

    private static Uri PathOf(string id) => new($"/tasks/{id}", UriKind.Relative);

    private async Task<HttpResponseMessage?> SendAsync(
        HttpMethod method, Uri path, string? title = null, string? key = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (title is not null)
        {
            request.Content = RunningService.Json($$"""{"title":"{{title}}","description":"{{Ledger.Padding}}"}""");
        }
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }
        try
        {
            return await http.SendAsync(request);
        }
        catch (Exception error) when (error is HttpRequestException or SocketException)
        {
            // The second is what a connection ends with that is reset as it is made.
            return null;
        }
    }
}
