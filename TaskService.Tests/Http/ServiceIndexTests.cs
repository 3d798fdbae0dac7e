using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>The links at the root.</summary>
public sealed class ServiceIndexTests
{
    [Fact]
    public async Task The_root_has_links_that_lead_somewhere()
    {
        await using var service = await RunningService.StartAsync(service: "name: Shop");
        var text = await service.Client.GetStringAsync(new Uri("/", UriKind.Relative));
        var index = JsonElement.Parse(text);
        Assert.Equal("Shop", index.GetProperty("service").GetString());
        var links = index.GetProperty("links").EnumerateObject().ToDictionary(
            link => link.Name, link => link.Value.GetString());
        KeyValuePair<string, string?>[] expected =
        [
            new("index", "/"), new("listTasks", "/tasks"), new("live", "/health/live"), new("ready", "/health/ready"),
            new("openApi", "/openapi.json"), new("docs", "/docs"),
        ];
        Assert.Subset(links.ToHashSet(), expected.ToHashSet());
        // The page is for browsers, and not in the document that other clients here are held to.
        using var client = new HttpClient { BaseAddress = service.Client.BaseAddress };
        foreach (var path in links.Values)
        {
            using var response = await client.GetAsync(new Uri(path!, UriKind.Relative));
            // An endpoint of a team may be behind a policy.
            Assert.True((int)response.StatusCode is 200 or 401 or 403, $"{path} is {(int)response.StatusCode}");
        }
    }
}
