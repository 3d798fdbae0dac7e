using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>The requests for editors work, in their order.</summary>
public sealed partial class HttpFileTests
{
    [Fact]
    public async Task Each_request_of_the_http_file_is_answered_as_it_says()
    {
        await using var service = await RunningService.StartAsync();
        Assert.Equal(
            [201, 200, 200, 204, 204, 204, 400, 200, 200],
            await RunAsync(service, Assert.Single(Directory.GetFiles(TestRoot.File("."), "*.http"))));
    }

    /// <summary>Sends the requests of a file.</summary>
    /// <returns>The statuses of the responses.</returns>
    internal static async Task<IReadOnlyList<int>> RunAsync(RunningService service, string path)
    {
        var file = (await File.ReadAllTextAsync(path)).ReplaceLineEndings("\n");
        var constants = Constant().Matches(file)
            .ToDictionary(line => line.Groups[1].Value, line => line.Groups[2].Value);
        constants["host"] = "";
        var named = new Dictionary<string, HttpResponseMessage>();
        var statuses = new List<int>();
        try
        {
            foreach (var block in file.Split("\n###").Skip(1))
            {
                var response = await SendAsync(
                    service, Variable().Replace(block, match => Value(match, constants, named)));
                var name = Name().Match(block);
                named[name.Success ? name.Groups[1].Value : $"{statuses.Count}"] = response;
                statuses.Add((int)response.StatusCode);
            }
        }
        finally
        {
            named.Values.ToList().ForEach(response => response.Dispose());
        }
        return statuses;
    }

    private static string Value(
        Match variable, Dictionary<string, string> constants, Dictionary<string, HttpResponseMessage> named)
    {
        if (constants.TryGetValue(variable.Groups[1].Value, out var constant))
        {
            return constant;
        }
        var parts = variable.Groups[1].Value.Split(".response.headers.");
        return Assert.Single(named[parts[0]].Headers.GetValues(parts[1]));
    }

    /// <summary>A title, comments, the request line, headers, and after an empty line the body.</summary>
    private static async Task<HttpResponseMessage> SendAsync(RunningService service, string block)
    {
        var halves = block.Split("\n\n", 2);
        var lines = halves[0].Split('\n').Skip(1).Where(line => line.Length > 0 && line[0] != '#').ToList();
        var request = lines[0].Split(' ');
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        StringContent? content = null;
        if (headers.Remove("Content-Type", out var type))
        {
            content = new StringContent(halves[1].Trim());
            content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue(type);
        }
        return await service.SendAsync(
            request[0], request[1], content, [.. headers.Select(header => (header.Key, header.Value))]);
    }

    [GeneratedRegex(@"\{\{([A-Za-z.]+)\}\}")]
    private static partial Regex Variable();

    [GeneratedRegex("^@([a-z]+) = (.*)$", RegexOptions.Multiline)]
    private static partial Regex Constant();

    [GeneratedRegex("# @name ([a-z]+)")]
    private static partial Regex Name();
}
