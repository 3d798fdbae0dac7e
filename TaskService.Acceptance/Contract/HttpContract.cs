namespace TaskService.Acceptance.Contract;

/// <summary>The statements of <c>docs/http.md</c> about a service that can only be reached over HTTP.</summary>
internal static class HttpContract
{
    public static readonly IReadOnlyList<Statement> All =
    [
        .. ServiceStatements.All, .. TaskStatements.All, .. PatchStatements.All, .. BodyStatements.All,
        .. MediaStatements.All, .. ConditionStatements.All, .. RetryStatements.All, .. ListStatements.All,
        .. PathStatements.All,
    ];

    /// <summary>Checks all of it. The tasks that this needs are created and deleted; others are left alone.</summary>
    /// <param name="url">Of the service.</param>
    /// <param name="key">For <c>X-API-Key</c>; null for none.</param>
    public static async IAsyncEnumerable<Finding> CheckAsync(Uri url, string? key)
    {
        using var session = new ContractSession(url, key);
        foreach (var statement in All)
        {
            yield return await CheckAsync(statement, session);
        }
        const string deleted = "every task that was created here is deleted";
        var left = await session.DeleteAllAsync();
        yield return left.Count == 0
            ? new Finding(deleted, Verdict.Holds)
            : new Finding(deleted, Verdict.Fails, $"left behind: {string.Join(", ", left)}");
    }

    /// <summary>What would make every statement fail alike; null when there is no such thing.</summary>
    public static async Task<string?> FindObstacleAsync(Uri url, string? key)
    {
        using var api = new ApiConnection(url, key);
        try
        {
            await api.GetAsync("/tasks?limit=1");
            return null;
        }
        catch (AcceptanceException error) when (error.What.Contains("no response", StringComparison.Ordinal))
        {
            return $"{url}: {error.What}";
        }
        catch (AcceptanceException error) when (error.What.EndsWith("was 401", StringComparison.Ordinal))
        {
            return key is null ? $"{url} wants a key: give it with --key" : $"{url} does not take this key";
        }
        catch (AcceptanceException)
        {
            // The statements show it better.
            return null;
        }
    }

    private static async Task<Finding> CheckAsync(Statement statement, ContractSession session)
    {
        try
        {
            await statement.CheckAsync(session);
            return new Finding(statement.Text, Verdict.Holds);
        }
        catch (AcceptanceException error)
        {
            return new Finding(statement.Text, Verdict.Fails, error.What, error.Exchange);
        }
        catch (NotCheckedException error)
        {
            return new Finding(statement.Text, Verdict.NotChecked, error.Message);
        }
        catch (Exception error)
            when (error is InvalidOperationException or KeyNotFoundException or FormatException or UriFormatException)
        {
            // JSON of another shape than the statement reads.
            return new Finding(statement.Text, Verdict.Fails, error.Message);
        }
    }
}
