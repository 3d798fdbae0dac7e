using System.Security.Cryptography;

namespace TaskService.Acceptance.Contract;

/// <summary>A connection, and the tasks that were created with it.</summary>
/// <param name="url">Of the service.</param>
/// <param name="key">For <c>X-API-Key</c>; null for none.</param>
internal sealed class ContractSession(Uri url, string? key) : IDisposable
{
    public const string TaskJson = """{"title":"Task1"}""";

    private readonly List<string> created = [];

    public ApiConnection Api { get; } = new(url, key);

    public Uri Url => url;

    public string? Key => key;

    /// <summary>A key of idempotency, or a text, that nobody else has.</summary>
    public static string Unique() => $"accept-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}";

    /// <summary>Creates a task, which is deleted at the end.</summary>
    /// <exception cref="AcceptanceException">The response is not as expected.</exception>
    public Task<ApiResponse> PostAsync(
        string json = TaskJson, Expected? expected = null, params (string Name, string Value)[] headers) =>
        PostAsync(ApiRequest.Of("POST", "/tasks", json, headers), expected);

    /// <inheritdoc cref="PostAsync(string, Expected?, ValueTuple{string, string}[])"/>
    public async Task<ApiResponse> PostAsync(ApiRequest request, Expected? expected = null)
    {
        var response = await Api.SendAsync(request, expected ?? 201);
        if (response.Status == 201 && response.Header("Location") is { } path)
        {
            created.Add(path);
        }
        return response;
    }

    /// <summary>Creates a task, which is deleted at the end.</summary>
    /// <returns>Its path.</returns>
    /// <exception cref="AcceptanceException">The response has none.</exception>
    public async Task<string> CreateAsync(string json = TaskJson)
    {
        var response = await PostAsync(json);
        return response.Header("Location") ?? response.Require(false, "expected a Location").Body;
    }

    /// <summary>Deletes what was created.</summary>
    /// <returns>The paths of tasks that the service did not delete.</returns>
    public async Task<IReadOnlyList<string>> DeleteAllAsync()
    {
        var left = new List<string>();
        foreach (var path in created.Distinct())
        {
            try
            {
                await Api.DeleteAsync(path, new Expected(204, 404));
            }
            catch (AcceptanceException)
            {
                // It is named in the result.
                left.Add(path);
            }
        }
        return left;
    }

    public void Dispose() => Api.Dispose();
}
